"""A report card computed again by plain loops, for one golden: what each number of the real one has to be.

Only what is drawn at random is taken from the functions that draw it: the ends of bootstrap intervals, groups, and
intervals that hold for all reward models at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from warehouse import reads
from warehouse.metrics.calibration import reliability
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.model_scores import agreement, length_correlations, reward_variances
from warehouse.reads.choice import answer
from warehouse.schema import category_order
from warehouse.store import Connection
from warehouse.study import prepare
from warehouse.study.choice.answer import Question
from warehouse.study.choice.ranking import Ranking

Figures = dict[str, Any]
NOTHING = {"value": None, "low": None, "high": None}


def numbers(part: Any, path: str = "") -> dict[str, Any]:
    """Every number and null of a card by its path; texts are left out."""
    if isinstance(part, dict):
        return {key: value for name in part for key, value in numbers(part[name], f"{path}/{name}").items()}
    if isinstance(part, list):
        return {key: value for place, row in enumerate(part) for key, value in numbers(row, f"{path}/{place}").items()}
    return {} if isinstance(part, str) else {path: part}


class Plain(NamedTuple):
    """A run with its one golden; `right`: it says right or wrong."""

    connection: Connection
    run_id: str
    name: str
    golden: str
    right: bool
    cube: ScoreCube
    samples: ScoreCube
    candidates: list[str]

    def rows(self, cube: ScoreCube, name: str) -> list[np.ndarray]:
        """The scores of a scorer, prompt by prompt."""
        scores = cube.scores_MPR[cube.reward_models.index(name)].astype(float)
        return [scores[p, :count] for p, count in enumerate(cube.counts_P)]


def t_interval(values: Sequence[float]) -> Figures:
    mean, error = np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values))
    width = stats.t.ppf(0.975, len(values) - 1) * error
    return {"value": mean, "low": mean - width, "high": mean + width}


def ratio(above: Sequence[float], below: Sequence[float]) -> Figures:
    """A ratio of means with its interval by the delta method."""
    share = np.mean(above) / np.mean(below)
    return t_interval(share + (np.array(above) - share * np.array(below)) / np.mean(below))


# Accuracy and scores -------------------------------------------------------------------------------------------------


def of_pairs(truth: np.ndarray, own: np.ndarray, counts: Callable[[int, int], bool] = lambda i, j: True) -> list[float]:
    """For each golden-ordered pair 1, ½ or 0: ordered alike, tied, the other way."""
    return [
        0.5 * (1 + np.sign(truth[i] - truth[j]) * np.sign(own[i] - own[j]))
        for i, j in combinations(range(len(truth)), 2)
        if truth[i] != truth[j] and counts(i, j)
    ]


def accuracy(run: Plain, name: str, prompts: Sequence[int], bins: tuple[int, int] | None = None) -> Figures:
    above, below = [], []
    truths, own = run.rows(run.cube, run.golden), run.rows(run.cube, name)
    for p in prompts:
        truth = truths[p]
        third = np.floor(3 * (stats.rankdata(truth) - 0.5) / len(truth)) + 1
        pairs = of_pairs(truth, own[p], lambda i, j, third=third: bins is None or {third[i], third[j]} == set(bins))
        above.append(np.mean(pairs) if pairs else 0.0)
        below.append(1.0 if pairs else 0.0)
    return ratio(above, below)


def about_scores(run: Plain) -> Figures:
    cube, everywhere = run.cube, range(len(run.cube.prompts))
    own, truths = run.rows(cube, run.name), run.rows(cube, run.golden)
    by_rank = sorted(accuracy(run, name, everywhere)["value"] for name in run.candidates)[::-1]
    mine = accuracy(run, run.name, everywhere)
    by_measure = answer(run.connection, run.run_id, Question((run.golden,), by="accuracy")).ranking

    def parts(named: Sequence[str], order: Sequence[str]) -> list[Figures]:
        places = [[p for p in everywhere if named[p] == part] for part in order]
        return [{"prompts": len(prompts), **accuracy(run, run.name, prompts)} for prompts in places]

    scores = np.concatenate(own)
    standard = np.clip((scores - scores.mean()) / scores.std(), -3, 3)
    edges = [-3 + 0.25 * number for number in range(25)]
    shares = [np.mean([b <= s < b + 0.25 or (b == 2.75 and s == 3) for s in standard]) for b in edges[:-1]]
    alone = cube.of_reward_models([run.name])
    within = np.mean([scores_r.var() for scores_r in own]) / scores.var()
    variance = reward_variances(alone).estimates[0]
    lengths = reads.responses.response_lengths(run.connection, run.run_id, "rm_test")
    assert lengths is not None
    rho = [
        stats.spearmanr(lengths.values[p, : len(own[p])], own[p])[0]
        for p in everywhere
        if len(set(lengths.values[p, : len(own[p])])) > 1
    ]
    drawn = length_correlations(alone, lengths.values).estimates[0]
    return {
        "accuracy": {
            **mine,
            "prompts": len(cube.prompts),
            "undefined_prompts": sum(len(set(truth)) < 2 for truth in truths),
            "rank": 1 + sum(value > mine["value"] + 1e-12 for value in by_rank),
            "of": len(run.candidates),
            "groups": list(by_measure.groups[by_measure.names.index(run.name)]),
            "categories": parts(cube.categories, category_order(cube.categories)),
            "subsets": parts(cube.subsets, sorted(set(cube.subsets))),
            "thirds": []
            if run.right
            else [
                {"better": b, "worse": w, **accuracy(run, run.name, everywhere, (b, w))}
                for b, w in ((2, 1), (3, 2), (3, 1))
            ],
        },
        "scores": {
            "responses": len(scores),
            "mean": scores.mean(),
            "sd": scores.std(),
            "least": scores.min(),
            "greatest": scores.max(),
            "bins": [
                {"least": b, "greatest": b + 0.25, "share": share} for b, share in zip(edges, shares, strict=False)
            ],
            "variance_within": {"value": within, "low": variance.low, "high": variance.high},
        },
        "length": {
            "value": np.mean(rho),
            "low": drawn.low,
            "high": drawn.high,
            "prompts": len(own),
            "undefined_prompts": len(own) - len(rho),
        },
        "agreement": _agreement(run),
        "calibration": _calibration(run, own, truths),
        "benchmarks": [],
    }


def _agreement(run: Plain) -> list[Figures]:
    names = run.cube.reward_models
    drawn = agreement(prepare(run.cube.with_goldens(names), "accuracy"))
    me, own = names.index(run.name), run.rows(run.cube, run.name)
    rows: list[Figures] = []
    for place, other in enumerate(names):
        if other != run.name:
            shares = [of_pairs(*both) for both in zip(run.rows(run.cube, other), own, strict=True)]
            ends = {"low": drawn.low_MM[place, me], "high": drawn.high_MM[place, me]}
            rows.append({"value": np.mean([np.mean(share) for share in shares if share]), **ends})
    return sorted(rows, key=lambda row: -float(row["value"]))


def _calibration(run: Plain, own: list[np.ndarray], truths: list[np.ndarray]) -> Figures:
    drawn = reliability(run.cube, run.golden, run.name)
    weight, sure, right, pairs, ties = np.zeros(5), np.zeros(5), np.zeros(5), np.zeros(5), 0
    for truth, scores in zip(truths, own, strict=True):
        both = list(combinations(range(len(truth)), 2))
        ordered = [(i, j) for i, j in both if truth[i] != truth[j]]
        ties += len(both) - len(ordered)
        for i, j in ordered:
            confidence = 1 / (1 + np.exp(-abs(scores[i] - scores[j])))
            place = min(int((confidence - 0.5) * 10), 4)
            pairs[place] += 1
            weight[place] += 1 / len(ordered)
            sure[place] += confidence / len(ordered)
            right[place] += of_pairs(truth[[i, j]], scores[[i, j]])[0] / len(ordered)
    bins = [
        {"least": 0.5 + place / 10, "greatest": 0.6 + place / 10, "confidence": sure[place] / weight[place]}
        | {"pairs": pairs[place], "value": right[place] / weight[place], "low": b.right.low, "high": b.right.high}
        for place, b in zip(np.flatnonzero(weight), drawn.bins, strict=True)
    ]
    error = np.abs(sure - right).sum() / weight.sum()
    return {
        "error": {"value": error, "low": drawn.error.low, "high": drawn.error.high},
        "pairs": pairs.sum(),
        "golden_ties": ties,
        "bins": bins,
    }


# Policies ------------------------------------------------------------------------------------------------------------


def chances(scores: np.ndarray, n: int) -> np.ndarray:
    """The probability with which best-of-n picks each response: over all sets of n of them, ties share."""
    picked, sets = np.zeros(len(scores)), 0
    for chosen in combinations(range(len(scores)), n):
        top = [i for i in chosen if scores[i] == max(scores[list(chosen)])]
        picked[top] += 1 / len(top)
        sets += 1
    return picked / sets


def spread(run: Plain) -> float:
    return float(np.sqrt(np.mean([truth.var(ddof=1) for truth in run.rows(run.samples, run.golden)])))


def worth(run: Plain, by: list[np.ndarray], n: int) -> list[float]:
    """Of best-of-n by these scores, on each prompt with n samples or more."""
    values = []
    for truth, scores in zip(run.rows(run.samples, run.golden), by, strict=True):
        if len(truth) >= max(n, 2):
            picked = float(chances(scores, n) @ truth)
            values.append(picked if run.right else (picked - truth.mean()) / spread(run))
    return values


def reached(run: Plain, name: str, n: int) -> Figures:
    """NDR of best-of-n."""
    start = [t.mean() for t in run.rows(run.samples, run.golden) if len(t) >= n] if run.right else 0.0
    own, best = (np.array(worth(run, run.rows(run.samples, by), n)) - start for by in (name, run.golden))
    return ratio(own, best)


def about_policies(run: Plain, n: int, strengths: Sequence[int]) -> Figures:
    samples, kept = run.samples, [p for p, count in enumerate(run.samples.counts_P) if count >= n]
    drawn: Ranking = answer(run.connection, run.run_id, Question((run.golden,), strength=n)).ranking
    values = {name: worth(run, run.rows(samples, name), n) for name in run.candidates}
    order = sorted(run.candidates, key=lambda name: -float(np.mean(values[name])))
    ranking = []
    for place, name in enumerate(order):
        difference = np.array(values[run.name]) - np.array(values[name])
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        beats = None if name == run.name else stats.t.cdf(difference.mean() / error, len(difference) - 1)
        row = {"rank": place + 1, **t_interval(values[name]), "groups": list(drawn.groups[place])}
        row |= {"together_low": drawn.together[place].low, "together_high": drawn.together[place].high}
        ranking.append(row | {"ndr": reached(run, name, n), "this_beats_it": beats})
    mine = ranking[order.index(run.name)]
    together = {"value": mine["value"], "low": mine["together_low"], "high": mine["together_high"]}
    lengths = reads.responses.response_lengths(run.connection, run.run_id, "rl_test")
    assert lengths is not None
    long = [lengths.values[p, :count] for p, count in enumerate(samples.counts_P)]
    curve = []
    for strength in strengths:
        own = worth(run, run.rows(samples, run.name), strength)
        ndr = reached(run, run.name, strength) if strength > 1 else NOTHING
        curve.append({"n": strength, "prompts": len(own), **t_interval(own), "ndr": ndr})
    by_category = [
        [v for v, p in zip(values[run.name], kept, strict=True) if samples.categories[p] == category]
        for category in category_order(samples.categories[p] for p in kept)
    ]
    best = {
        "n": n,
        **t_interval(values[run.name]),
        "ndr": mine["ndr"],
        "prompts": len(kept),
        "fewer_samples": len(samples.prompts) - len(kept),
        "rank": mine["rank"],
        "of": len(order),
        "groups": mine["groups"],
        "together": together,
        "answer": None,
        "ranking": ranking,
        "curve": curve,
        "categories": [{"prompts": len(part), **t_interval(part)} for part in by_category],
        "length_alone": {
            "longest": t_interval(worth(run, long, n)),
            "shortest": t_interval(worth(run, [-length for length in long], n)),
        },
    }
    return {"best_of_n": best, "failures": _failures(run, long, n)}


def _failures(run: Plain, long: list[np.ndarray], n: int) -> Figures:
    truths, own = run.rows(run.samples, run.golden), run.rows(run.samples, run.name)
    scale = 1.0 if run.right else spread(run)
    picks = [int(scores.argmax()) for scores in own]
    gone = sorted((t.max() - t[pick]) / scale for t, pick in zip(truths, picks, strict=True))[::-1]
    bad = [t[pick] == (0 if run.right else t.min()) for t, pick in zip(truths, picks, strict=True)]
    chance = np.mean([(t == 0).mean() if run.right else 1 / len(t) for t in truths])
    share, z, count = np.mean(bad), stats.norm.ppf(0.975), len(bad)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    width = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    shares: list[list[float]] = [[], [], []]
    gains: list[list[float]] = [[], [], []]
    for truth, scores, length in zip(truths, own, long, strict=True):
        if len(truth) >= n:
            third = np.floor(3 * (stats.rankdata(length) - 0.5) / len(length))
            picked = chances(scores, n)
            for number in range(3):
                shares[number].append(picked[third == number].sum())
                gains[number].append((picked * (truth - truth.mean()))[third == number].sum() / scale)
    return {
        "favourite": {"value": share, "low": middle - width, "high": middle + width, "chance": chance},
        "picks_by_length": [{"share": t_interval(shares[k]), "gain": sum(gains[k]) / sum(shares[k])} for k in range(3)],
        "prompts_that_lose": sum(loss > 0 for loss in gone),
        "prompts": len(own),
        "worst": gone[:5],
    }
