"""What policies optimised against a reward model would keep, predicted without the policies that it may have."""

from __future__ import annotations

from app.report.subject import Section, Subject
from warehouse.errors import InvalidChoice
from warehouse.metrics.catalogue import optimizer_words
from warehouse.metrics.cube import ScoreCube
from warehouse.reads.predicted import OfOptimizer, predictions
from warehouse.study.predicted import words
from warehouse.study.predicted.regret import LEVEL, PredictedRegret


def sections(about: Subject) -> Section:
    """One row for each optimiser of the run whose policies can be predicted; the others are noted with the reason."""
    rows = []
    for each in about.attempt("predicted regret", lambda: _predictions(about)) or []:
        at = optimizer_words(each.optimizer).at.format(f"{each.strength:g}")
        why = words.why_not(each.result, about.name) if each.result else each.why
        if why or each.result is None:
            about.lacks(f"predicted regret of {at}", why)
        else:
            rows.append(_row(about.name, each, each.result))
    return {"predicted": rows}


def _predictions(about: Subject) -> list[OfOptimizer]:
    return predictions(
        about.connection,
        about.run_id,
        about.task.question.goldens,
        cube=lambda: _stored(about.cube, "RM-test"),
        samples=lambda: _stored(about.samples, "RL-test"),
        seed=about.task.seed,
    )


def _stored(cube: ScoreCube | None, side: str) -> ScoreCube:
    if cube is None:
        raise InvalidChoice(f"the run has no scores of responses to {side} prompts")
    return cube


def _row(name: str, each: OfOptimizer, result: PredictedRegret) -> Section:
    guess = result.guess(name)
    held = {}
    for left_out, kind in (("reward_model", False), ("kind", True)):
        record = result.record("features", kind=kind)
        held[left_out] = {"covered": record.covered, "of": record.predicted, "error": record.error}
    return {
        "optimizer": each.optimizer,
        "strength": each.strength,
        "quantity": result.known.quantity,
        "level": LEVEL,
        "value": guess.value,
        "low": guess.low,
        "high": guess.high,
        "measured": guess.measured,
        "learnt_from": guess.examples,
        "new_kind": bool(words.new_kind(result, name)),
        "held": held,
    }
