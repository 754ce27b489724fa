"""What the policy of a reward model is worth to the goldens, along n and for each optimiser, and where it fails."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from app.report.subject import Section, Subject, figure
from warehouse import reads
from warehouse.claims import choosing
from warehouse.errors import InvalidChoice
from warehouse.metrics.cube import ScoreCube
from warehouse.reads.choice import answer, lengths_of
from warehouse.schema import INITIAL, SAME_PROMPT, category_order
from warehouse.stats.bootstrap import Estimate
from warehouse.study.choice import failures
from warehouse.study.choice.answer import BEST_OF_N, Answer, Lengths, Question, default_n
from warehouse.study.choice.worth import (
    Worth,
    best_of_n,
    is_right_or_wrong,
    of_length,
    of_policies,
    spread_within,
    truth_for,
)
from warehouse.study.folds import shared_prompts
from warehouse.study.power import t_interval

WORST = 5
MOST_CHARACTERS = 1200
"""Prompts shown with their texts, and how much of a text."""

_SAMPLES = "the run has no scores of samples to RL-test prompts, so best-of-n has no picks"


def sections(about: Subject) -> Section:
    """All of them; null where the run has no samples that best-of-n could pick from."""
    samples, parts = about.samples, dict.fromkeys(("best_of_n", "failures"))
    if samples is None:
        about.lacks("the worth of best-of-n", _SAMPLES)
    else:
        parts = {
            "best_of_n": about.attempt("the worth of best-of-n", partial(_best_of_n, about, samples)),
            "failures": about.attempt("where it fails", partial(_failures, about, samples)),
        }
    both = (cube.prompts for cube in (about.cube, samples) if cube is not None)
    sides = list(both)
    shared = shared_prompts(*sides) if len(sides) > 1 else 0
    return {**parts, "optimizers": _optimizers(about), "shared_prompts": shared}


class _Samples(NamedTuple):
    """Samples to pick from; `share`: the golden says right or wrong, so that a figure is the share of right picks."""

    cube: ScoreCube
    share: bool

    def worth(self, about: Subject, n: int) -> Worth:
        values, sides = best_of_n(self.cube, n), about.task.sides
        return of_policies(values, sides, spread_within(self.cube), share=self.share)


def _best_of_n(about: Subject, samples: ScoreCube) -> Section:
    """Its worth at the n at which reward models are compared, its rank and group there, and along n."""
    source = _Samples(samples, _says_right(about, samples))
    n = default_n(samples)
    worth = source.worth(about, n)
    lengths = lengths_of(about.connection, about.run_id, samples)
    fewer = len(samples.prompts) - len(worth.prompts)
    if fewer:
        about.lacks(f"best-of-{n} on prompts", f"they have fewer than {n} samples", fewer, len(samples.prompts))
    return {
        "n": n,
        "unit": worth.unit,
        **figure(_gain(about, worth)),
        "ndr": figure(_ndr(about, worth)),
        "prompts": len(worth.prompts),
        "fewer_samples": fewer,
        **_among_others(about, samples),
        "curve": _curve(about, source, n),
        "categories": _by_category(about, worth),
        "length_alone": _length_alone(about, source, lengths, n),
    }


def _among_others(about: Subject, samples: ScoreCube) -> Section:
    """Its rank, groups and the probability that it beats each; of a reward model that is alone, it is the only one."""
    alone = {"rank": 1, "of": 1, "groups": [], "ranking": [], "answer": None, "cannot_be_told_from": []}
    if len(about.task.sides.candidates) < 2:
        about.lacks("rank among reward models", "it is the only one that is judged here")
        return alone
    answered = answer(
        about.connection,
        about.run_id,
        Question(goldens=about.task.question.goldens),
        samples=lambda: samples,
        seed=about.task.seed,
    )
    ranking = answered.ranking
    place = ranking.names.index(about.name)
    own = set(ranking.groups[place])
    return {
        "rank": place + 1,
        "of": len(ranking.names),
        "groups": list(ranking.groups[place]),
        "together": figure(ranking.together[place]),
        "cannot_be_told_from": [
            name
            for name, groups in zip(ranking.names, ranking.groups, strict=True)
            if name != about.name and own & set(groups)
        ],
        "answer": choosing.headline(answered),
        "ranking": _ranking(answered, place),
    }


def _ranking(answered: Answer, place: int) -> list[Section]:
    ranking = answered.ranking
    reached = dict(zip(answered.worth.candidates, answered.worth.reached, strict=False))
    return [
        {
            "rank": other + 1,
            "reward_model": name,
            **figure(ranking.estimates[other]),
            "together_low": ranking.together[other].low,
            "together_high": ranking.together[other].high,
            "groups": list(ranking.groups[other]),
            "ndr": figure(reached.get(name)),
            "this_beats_it": None if other == place else float(ranking.beats_MM[place, other]),
        }
        for other, name in enumerate(ranking.names)
    ]


def _curve(about: Subject, source: _Samples, n: int) -> list[Section]:
    """Its worth and NDR at 1, 2, 4, … up to what half of the prompts have samples for, and at n."""
    most = int(np.quantile(source.cube.counts_P, 0.5, method="lower"))
    rows = []
    for strength in sorted({n, most, *(2**k for k in range(most.bit_length()) if 2**k <= most)}):
        worth = source.worth(about, strength)
        ndr = _ndr(about, worth) if strength > 1 else None
        rows.append({"n": strength, "prompts": len(worth.prompts), **figure(_gain(about, worth)), "ndr": figure(ndr)})
    undefined = sum(row["ndr"]["value"] is None for row in rows if row["n"] > 1)
    if undefined:
        why = "best-of-n by the golden itself does not clearly gain, so there is nothing to lose a share of"
        about.lacks("NDR of best-of-n at several n", why, undefined, sum(row["n"] > 1 for row in rows))
    return rows


def _by_category(about: Subject, worth: Worth) -> list[Section]:
    parts = {part.part: part for part in failures.by_part(worth, worth.categories) if part.candidate == about.name}
    return [
        {"part": name, "prompts": parts[name].prompts, **figure(parts[name].worth)}
        for name in category_order(worth.categories)
        if name in parts
    ]


def _length_alone(about: Subject, source: _Samples, lengths: Lengths | None, n: int) -> Section | None:
    """What always the longest and always the shortest of n responses reach."""
    if lengths is None:
        about.lacks("what length alone reaches", "the lengths of the samples are unknown")
        return None
    truth_PN = truth_for(source.cube, about.task.sides, about.place, share=source.share)
    worth = of_length(source.cube, lengths.lengths_PR, truth_PN, n, share=source.share)
    longest, shortest = (t_interval(values_Q) for values_Q in worth.values_MQ)
    return {"unit": lengths.unit, "longest": figure(longest), "shortest": figure(shortest)}


def _optimizers(about: Subject) -> list[Section]:
    """Its worth with every other optimiser of the run, at the largest strength."""
    rows = []
    for optimizer in reads.policies.strengths(about.connection, about.run_id)["optimizer"].unique().sort():
        if optimizer == BEST_OF_N:
            continue
        row = about.attempt(f"the worth of {optimizer}", partial(_optimized, about, optimizer))
        rows += [row] if row else []
    return rows


def _optimized(about: Subject, optimizer: str) -> Section:
    question = Question(goldens=about.task.question.goldens, by=optimizer)
    answered = answer(about.connection, about.run_id, question, seed=about.task.seed)
    ranking, worth = answered.ranking, answered.worth
    if about.name not in ranking.names:
        stopped = reads.policies.stopped_ppo(about.connection, about.run_id).filter(reward_model_id=about.name)
        reasons = ", ".join(stopped["reason"].drop_nulls().unique().sort())
        raise InvalidChoice(f"it has no such policy{f' ({reasons})' if reasons else ''}")
    place = ranking.names.index(about.name)
    ndr, per_nat = _ndr(about, worth), answered.per_nat[worth.candidates.index(about.name)]
    if ndr is None or ndr.value is None:
        about.lacks(f"NDR of {optimizer}", "no golden has such a policy of its own that clearly gains")
    if per_nat.gain.value is None:
        about.lacks(f"gain per nat of {optimizer}", "the KL of the policy is unknown or not above 0")
    return {
        "optimizer": optimizer,
        "strength": answered.strength,
        "unit": worth.unit,
        **figure(ranking.estimates[place]),
        "ndr": figure(ndr),
        "kl": per_nat.kl,
        "gain_per_nat": figure(per_nat.gain),
        "prompts": ranking.prompts,
        "rank": place + 1,
        "of": len(ranking.names),
        "groups": list(ranking.groups[place]),
    }


def _failures(about: Subject, samples: ScoreCube) -> Section:
    """How often its favourite is wrong or the golden's worst, what it picks by length, and what loses most."""
    share = _says_right(about, samples)
    truth_PN = truth_for(samples, about.task.sides, about.place, share=share)
    wrong, chance = Estimate.undefined(), None
    if share:
        wrong, chance = failures.picks_wrong(samples, about.place, truth_PN)
    elif len(about.judges) == 1:
        wrong, chance = failures.picks_the_worst(samples, about.judges[0], about.place)
    lengths = lengths_of(about.connection, about.run_id, samples)
    n = default_n(samples)
    thirds = failures.by_thirds(samples, about.place, lengths.lengths_PR, truth_PN, n) if lengths else []
    losses = failures.worst_prompts(samples, about.place, truth_PN, len(samples.prompts))
    return {
        "favourite": {"is": "wrong" if share else "the golden's worst", **figure(wrong), "chance": chance},
        "picks_by_length": [{"part": third.part, "share": figure(third.share), "gain": third.gain} for third in thirds],
        "prompts_that_lose": len(losses),
        "prompts": len(samples.prompts),
        "worst": [_worst(about, samples, loss, truth_PN) for loss in losses[:WORST]],
    }


def _worst(about: Subject, samples: ScoreCube, loss: failures.Loss, truth_PN: np.ndarray) -> Section:
    prompt_id = samples.prompts[loss.prompt]
    prompt = reads.responses.prompt(about.connection, about.run_id, prompt_id)
    texts = reads.responses.responses_to(about.connection, about.run_id, prompt_id, INITIAL)["text"].to_list()
    known = len(texts) == samples.counts_P[loss.prompt]
    return {
        "prompt": prompt_id.removesuffix(SAME_PROMPT["rl_test"]),
        "category": samples.categories[loss.prompt],
        "subset": samples.subsets[loss.prompt],
        "loss": loss.loss,
        "text": _cut(prompt["text"]),
        "pick": _cut(texts[loss.pick]) if known else None,
        "best": _cut(texts[loss.best]) if known else None,
        "golden_of_pick": float(truth_PN[loss.prompt, loss.pick]),
        "golden_of_best": float(truth_PN[loss.prompt, loss.best]),
    }


def _cut(text: str) -> str | None:
    """The beginning of a long text; None for an empty one, which is unknown."""
    if len(text) <= MOST_CHARACTERS:
        return text or None
    return f"{text[:MOST_CHARACTERS]} … ({len(text):,} characters)"


def _says_right(about: Subject, cube: ScoreCube) -> bool:
    goldens = about.task.sides.goldens
    return len(goldens) == 1 and is_right_or_wrong(cube, goldens[0])


def _gain(about: Subject, worth: Worth) -> Estimate:
    if about.name not in worth.candidates:
        raise InvalidChoice("it has no such policy")
    return t_interval(worth.values_MQ[worth.candidates.index(about.name)])


def _ndr(about: Subject, worth: Worth) -> Estimate | None:
    return dict(zip(worth.candidates, worth.reached, strict=False)).get(about.name)
