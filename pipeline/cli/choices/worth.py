"""`righttree choose`: which reward model to take, as text or JSON.

The names in the JSON are a public interface.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pipeline.cli.choices import Result, figure
from pipeline.cli.choices import outcome as of_outcome
from pipeline.errors import InvalidConfig
from warehouse import reads, store
from warehouse.claims import choosing
from warehouse.formats import count, names_in, number
from warehouse.reads.choice import answer, answer_by_outcome
from warehouse.stats.bootstrap import NOTHING
from warehouse.study.choice.answer import Answer, Question
from warehouse.study.choice.failures import by_part
from warehouse.study.choice.per_nat import PerNat
from warehouse.terminals import names_on_one_line

SCHEMA_VERSION = 1


def report(data: Path, choice: argparse.Namespace) -> str:
    """What to print for the choices of the command line. Raises UnknownName and InvalidChoice."""
    with store.open_read_only(data) as connection:
        run_id = reads.runs.named_or_default(connection, choice.run)
        names = reads.runs.reward_models(connection, run_id)["reward_model_id"].to_list()
        question = Question(
            goldens=names_in(choice.golden),
            by=choice.by,
            strength=choice.strength,
            kl=choice.kl,
            categories=tuple(choice.category or ()),
            subsets=tuple(choice.subset or ()),
        )
        if choice.outcome is not None:
            if choice.strength is not None or choice.kl is not None:
                raise InvalidConfig("--n and --kl are about policies; with --outcome leave them out")
            by_outcome = answer_by_outcome(connection, run_id, choice.outcome, question, seed=choice.seed)
            result = of_outcome.as_json(run_id, by_outcome, choice.seed)
            if choice.json:
                return json.dumps(result)
            return names_on_one_line(of_outcome.as_text(run_id, by_outcome), names)
        answered = answer(connection, run_id, question, seed=choice.seed)
    if choice.json:
        return json.dumps(as_json(run_id, answered, choice.seed))
    return names_on_one_line(_text(run_id, answered), names)


def as_json(run_id: str, answered: Answer, seed: int) -> Result:
    """The public form of an answer: plain lists and numbers, null where a figure is undefined or unknown."""
    ranking, worth, question = answered.ranking, answered.worth, answered.question
    more, baseline = answered.more, answered.baseline
    reached = dict(zip(worth.candidates, worth.reached, strict=False))
    per_nat = dict(zip(worth.candidates, answered.per_nat, strict=False))
    return {
        "schema_version": SCHEMA_VERSION,
        "run": run_id,
        "answer": choosing.headline(answered),
        "take": ranking.names[0],
        "may_be_best": list(ranking.may_be_best),
        "behind": ranking.behind,
        "by": question.by,
        "strength": answered.strength,
        "kl": question.kl,
        "goldens": list(worth.goldens),
        "truth": answered.truth,
        "unit": worth.unit,
        "prompts": ranking.prompts,
        "fewer_samples": answered.fewer_samples,
        "left_out": list(worth.left_out),
        "without_kl": answered.without_kl,
        "seed": seed,
        "reward_models": [
            {
                "rank": place + 1,
                "reward_model": name,
                **figure(ranking.estimates[place]),
                "together": figure(ranking.together[place]),
                "groups": list(ranking.groups[place]),
                "ndr": figure(reached.get(name) or NOTHING),
                **_per_nat(per_nat.get(name)),
                "beats": dict(zip(ranking.names, ranking.beats_MM[place].tolist(), strict=True)),
                "better": dict(zip(ranking.names, ranking.better_MM[place].tolist(), strict=True)),
                "p": dict(zip(ranking.names, ranking.p_MM[place].tolist(), strict=True)),
            }
            for place, name in enumerate(ranking.names)
        ],
        "categories": [
            {"reward_model": part.candidate, "category": part.part, "prompts": part.prompts, **figure(part.worth)}
            for part in by_part(worth, worth.categories)
        ],
        "length": baseline
        and {
            "unit": baseline.unit,
            "longest": figure(baseline.longest),
            "shortest": figure(baseline.shortest),
        },
        "more": more and vars(more),
    }


def _per_nat(each: PerNat | None) -> Result:
    kl, gain, efficiency = each or (None, NOTHING, NOTHING)
    return {"policy_kl": kl, "gain_per_nat": figure(gain), "efficiency": figure(efficiency)}


# Text ----------------------------------------------------------------------------------------------------------------


def _text(run_id: str, answered: Answer) -> str:
    ranking, worth = answered.ranking, answered.worth
    left_out = [f"Left out, without a figure: {', '.join(worth.left_out)}."] if worth.left_out else []
    if answered.fewer_samples:
        left_out.append(choosing.fewer_samples(answered))
    sentences = (
        *left_out,
        choosing.more(answered),
        choosing.length_alone(answered),
        choosing.per_nat(answered),
        choosing.winner(answered),
    )
    return "\n".join(
        [
            choosing.headline(answered),
            choosing.truths(answered),
            "",
            f"{choosing.unit_title(answered)}, run {run_id}, {count(ranking.prompts, 'prompt')}",
            "95% intervals that hold for all reward models at once; a letter in common: cannot be told apart",
            "",
            *_table(answered),
            "",
            *(sentence for sentence in sentences if sentence),
        ]
    )


def _table(answered: Answer) -> list[str]:
    ranking, worth = answered.ranking, answered.worth
    reached = dict(zip(worth.candidates, worth.reached, strict=False))
    width = max(len("reward model"), *map(len, ranking.names))
    letters = [choosing.letters(groups) for groups in ranking.groups]
    wide = max(len("groups"), *map(len, letters))
    header = f"{'':>4}  {'reward model':<{width}}  {'groups':<{wide}}  {'value':>8}  {'95% from':>8}  {'to':>8}"
    per_nat = dict(zip(worth.candidates, answered.per_nat, strict=False))
    nats = f"  {'gain per nat':>22}  {'efficiency':>10}" if per_nat else ""
    lines = [f"{header}{'NDR':>8}{nats}  first beats it"]
    for place, name in enumerate(ranking.names):
        estimate, ndr = ranking.together[place], reached.get(name)
        figures = "  ".join(f"{number(end, 3):>8}" for end in (estimate.value, estimate.low, estimate.high))
        share = number(ndr.value) if ndr else ""
        beaten = choosing.chance(ranking.beats_MM[0, place]) if place else ""
        moved = _moved(per_nat[name]) if per_nat else ""
        line = f"{place + 1:>4}  {name:<{width}}  {letters[place]:<{wide}}  {figures}{share:>8}{moved}  {beaten}"
        lines.append(line.rstrip())
    return lines


def _moved(each: PerNat) -> str:
    gain = each.gain
    nats = "–" if gain.value is None else f"{number(gain.value)} [{number(gain.low)}, {number(gain.high)}]"
    efficiency = "–" if each.efficiency.value is None else number(each.efficiency.value)
    return f"  {nats:>22}  {efficiency:>10}"
