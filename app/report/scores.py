"""What the scores of a reward model on the RM-test prompts say: accuracy, its parts, spread, length, agreement."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.report.subject import Section, Subject, figure
from warehouse import reads
from warehouse.errors import InvalidChoice
from warehouse.metrics.benchmarks.of_run import benchmark_scores
from warehouse.metrics.calibration import reliability
from warehouse.metrics.cube import ScoreCube
from warehouse.metrics.model_scores import agreement, length_correlations, reward_variances, score_shares
from warehouse.metrics.preparation import prepare
from warehouse.metrics.test_set import TestSet
from warehouse.schema import category_order
from warehouse.stats.bootstrap import Estimate
from warehouse.study.choice.ranking import ranked
from warehouse.study.choice.worth import FEWEST_PROMPTS, Worth, is_right_or_wrong, of_measure
from warehouse.study.power import t_interval

_THIRDS = 3
_FEW_PROMPTS = "it takes two prompts or more"
_NO_ORDER = "the golden gives these responses equal scores, so there is no order to be right about"


def sections(about: Subject) -> Section:
    """All of them; null where the run has no scores of RM-test responses."""
    names = ("accuracy", "scores", "length", "edits", "agreement", "calibration", "benchmarks")
    cube = about.cube
    if cube is None:
        about.lacks("accuracy and all that scores say", "the run has no scores of responses to RM-test prompts")
        return dict.fromkeys(names)
    return {
        "accuracy": about.attempt("accuracy", partial(_accuracy, about, cube)),
        "scores": _scores(about, cube),
        "length": _length(about, cube),
        "edits": _edits(about),
        "agreement": _agreement(about, cube),
        "calibration": about.attempt("calibration", partial(_calibration, about, cube)),
        "benchmarks": _benchmarks(about, cube),
    }


def _accuracy(about: Subject, cube: ScoreCube) -> Section:
    """Accuracy against the goldens: over all prompts, its rank, and by category, subset and thirds of the golden."""
    worth = _measured(about, cube)
    if about.name not in worth.candidates:
        raise InvalidChoice(_NO_ORDER)
    place = worth.candidates.index(about.name)
    means_M = worth.values_MQ.mean(axis=1)
    groups: list[int] = []
    if len(worth.candidates) > 1 and worth.values_MQ.shape[1] >= FEWEST_PROMPTS:
        ranking = ranked(worth, about.task.seed)
        groups = list(ranking.groups[ranking.names.index(about.name)])
    undefined = _undefined_prompts(about, cube)
    if undefined:
        why = "the golden orders none of their responses; they weigh nothing"
        about.lacks("accuracy on prompts", why, undefined, len(cube.prompts))
    return {
        **figure(t_interval(worth.values_MQ[place])),
        "prompts": len(cube.prompts),
        "undefined_prompts": undefined,
        "rank": 1 + int((means_M > means_M[place]).sum()),
        "of": len(worth.candidates),
        "groups": groups,
        "categories": _parts(about, cube, "category", cube.categories, category_order(cube.categories)),
        "subsets": _parts(about, cube, "subset", cube.subsets, sorted(set(cube.subsets))),
        "thirds": _thirds(about, cube),
    }


def _measured(about: Subject, cube: ScoreCube, test_set: TestSet | None = None) -> Worth:
    """Accuracy of every candidate to the goldens of the report. Raises InvalidChoice where it is undefined."""
    goldens = [cube.reward_models[golden] for golden in about.task.sides.goldens]
    judged = cube.with_goldens(goldens)
    return of_measure(judged, prepare(judged, "accuracy", test_set), about.task.sides)


def _own(about: Subject, cube: ScoreCube, test_set: TestSet | None = None) -> Estimate:
    """Accuracy of the reward model on these prompts. Raises InvalidChoice where it is undefined."""
    if len(cube.prompts) < FEWEST_PROMPTS:
        raise InvalidChoice(_FEW_PROMPTS)
    worth = _measured(about, cube, test_set)
    if about.name not in worth.candidates:
        raise InvalidChoice(_NO_ORDER)
    return t_interval(worth.values_MQ[worth.candidates.index(about.name)])


def _undefined_prompts(about: Subject, cube: ScoreCube) -> int:
    """Prompts on which no golden orders any two responses."""
    ordered_P = np.zeros(len(cube.prompts), dtype=bool)
    for golden in about.judges:
        scores_PR = cube.scores_MPR[golden]
        least_P, most_P = (
            pick(np.where(cube.is_response_PR, scores_PR, beyond), axis=1)
            for pick, beyond in ((np.min, np.inf), (np.max, -np.inf))
        )
        ordered_P |= most_P > least_P
    return int((~ordered_P).sum())


def _parts(
    about: Subject, cube: ScoreCube, kind: str, of_prompts: Sequence[str], parts: Sequence[str]
) -> list[Section]:
    named, rows = np.asarray(of_prompts, dtype=object), []
    for part in parts:
        prompts: NDArray[np.int64] = np.flatnonzero(named == part)
        try:
            own = _own(about, cube.of_prompts(prompts))
        except InvalidChoice:
            own = Estimate.undefined()
        rows.append({"part": part, "prompts": len(prompts), **figure(own)})
    undefined = sum(row["value"] is None for row in rows)
    if undefined:
        why = "they have fewer than two prompts, or the golden orders no two responses of them"
        about.lacks(f"accuracy by {kind}", why, undefined, len(rows))
    return rows


def _thirds(about: Subject, cube: ScoreCube) -> list[Section]:
    """Accuracy on pairs of a response from a better and one from a worse third of a prompt by the golden."""
    rows: list[Section] = []
    if any(is_right_or_wrong(cube, golden) for golden in about.judges):
        about.lacks("accuracy by thirds", "a golden that says right or wrong has no thirds")
        return rows
    for better, worse in ((2, 1), (3, 2), (3, 1)):
        test_set = TestSet(rank_bins=_THIRDS, chosen_bin=better, rejected_bin=worse)
        what = f"accuracy on responses of thirds {better} and {worse}"
        own = about.attempt(what, partial(_own, about, cube, test_set))
        rows.append({"better": better, "worse": worse, **figure(own)})
    return rows


def _scores(about: Subject, cube: ScoreCube) -> Section:
    """How its scores are distributed, and their variance within prompts as a share of all."""
    alone = cube.of_reward_models([about.name])
    (shares,), edges = score_shares(alone)
    variances = reward_variances(alone, seed=about.task.seed)
    scores = cube.scores_MPR[about.place][cube.is_response_PR].astype(np.float64)
    if variances.estimates[0].value is None:
        about.lacks("reward variance", "it gives all responses the same score")
    return {
        "responses": len(scores),
        "mean": float(scores.mean()),
        "sd": float(scores.std()),
        "least": float(scores.min()),
        "greatest": float(scores.max()),
        "bins": [
            {"least": float(edges[number]), "greatest": float(edges[number + 1]), "share": float(share)}
            for number, share in enumerate(shares)
        ],
        "variance_within": figure(variances.estimates[0]),
    }


def _length(about: Subject, cube: ScoreCube) -> Section | None:
    """Its rank correlation with length within prompts; null without texts or token counts."""
    lengths = reads.responses.response_lengths(about.connection, about.run_id, "rm_test")
    if lengths is None or lengths.values.shape != cube.scores_MPR.shape[1:]:
        about.lacks("length correlation", "the lengths of the responses are unknown")
        return None
    alone = cube.of_reward_models([about.name])
    result = length_correlations(alone, lengths.values, seed=about.task.seed)
    if result.undefined[0]:
        why = "all responses have the same length or the same score"
        about.lacks("length correlation on prompts", why, result.undefined[0], result.prompts)
    return {
        **figure(result.estimates[0]),
        "unit": lengths.unit,
        "prompts": result.prompts,
        "undefined_prompts": result.undefined[0],
    }


def _edits(about: Subject) -> list[Section] | None:
    """How its score changes when a response is edited, in standard deviations within prompts; null if none was."""
    reactions = reads.probes.reactions(about.connection, about.run_id)
    if reactions is None or about.name not in reactions.reward_models:
        about.lacks("reactions to edits", "it scored no edited responses, or all responses to a prompt alike")
        return None
    means = reactions.of_reward_models([about.name]).means(seed=about.task.seed)
    prompts = len(reactions.prompts)
    return [{"edit": edit, **figure(own), "prompts": prompts} for edit, (own,) in means.items()]


def _agreement(about: Subject, cube: ScoreCube) -> list[Section]:
    """The share of the pairs that another scorer orders which it orders alike, the most alike first."""
    judged = cube.with_goldens([name for name, role in zip(cube.reward_models, _roles(cube), strict=True) if role])
    result = agreement(prepare(judged, "accuracy"), seed=about.task.seed)
    rows: list[Section] = []
    for place, other in enumerate(cube.reward_models):
        if place == about.place or not result.defined_MM[place, about.place]:
            continue
        figures = (result.share_MM, result.low_MM, result.high_MM)
        value, low, high = (float(figures_MM[place, about.place]) for figures_MM in figures)
        rows.append({"scorer": other, "value": value, "low": low, "high": high})
    missing = len(cube.reward_models) - 1 - len(rows)
    if missing:
        why = "they order no two responses, or are never the truth"
        about.lacks("agreement with other scorers", why, missing, len(cube.reward_models) - 1)
    return sorted(rows, key=lambda row: -row["value"])


def _roles(cube: ScoreCube) -> list[bool]:
    """Which scorers may be the truth."""
    return [role != "proxy" for role in cube.only or [None] * len(cube.reward_models)]


def _calibration(about: Subject, cube: ScoreCube) -> Section:
    """How sure it is of a pair against how often it is right, by one golden: the best validated of several."""
    models = about.models
    accuracy = models["validation_accuracy"].to_list()
    golden = models["reward_model_id"][max(about.judges, key=lambda place: accuracy[place] or 0.0)]
    result = reliability(cube, golden, about.name, seed=about.task.seed)
    if not result.pairs:
        raise InvalidChoice(_NO_ORDER)
    if result.golden_ties:
        pairs = result.pairs + result.golden_ties
        about.lacks("calibration on pairs", f"{golden} gives both the same score", result.golden_ties, pairs)
    return {
        "golden": golden,
        "error": figure(result.error),
        "pairs": result.pairs,
        "golden_ties": result.golden_ties,
        "bins": [
            {"least": b.least, "greatest": b.greatest, "confidence": b.confidence, "pairs": b.pairs, **figure(b.right)}
            for b in result.bins
        ],
    }


def _benchmarks(about: Subject, cube: ScoreCube) -> list[Section]:
    """What RewardBench and the like give it, where the run's prompts are a benchmark's."""
    rows = []
    for scores in benchmark_scores(cube):
        place = scores.reward_models.index(about.name)
        average_M = scores.scores_MS[:, -1]
        known = bool(np.isfinite(average_M[place]))
        rows.append(
            {
                "benchmark": scores.benchmark,
                "parts": [
                    {"part": part, "prompts": int(size), "score": float(score) if np.isfinite(score) else None}
                    for part, size, score in zip(scores.parts, scores.prompts_S, scores.scores_MS[place], strict=True)
                ],
                "rank": 1 + int((average_M > average_M[place]).sum()) if known else None,
                "of": len(scores.reward_models),
                "lacks": list(scores.lacks),
            }
        )
    return rows
