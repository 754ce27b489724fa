"""`righttree predict NAME`: the NDR that a reward model's policies would have, predicted from its RM-test scores.

The names in the JSON, whose `schema` is `predict`, are a public interface.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pipeline.cli.choices import Result
from warehouse import reads, store
from warehouse.errors import InvalidChoice, UnknownName
from warehouse.formats import listed
from warehouse.metrics.catalogue import optimizer_words
from warehouse.reads.predicted import OfOptimizer, predictions
from warehouse.study.predicted import words
from warehouse.study.predicted.known import FEATURES
from warehouse.study.predicted.regret import LEVEL, PREDICTORS, PredictedRegret
from warehouse.terminals import names_on_one_line

SCHEMA, SCHEMA_VERSION = "predict", 1

_HEADER = (
    "How such predictions did where NDR is known: the root mean square error, how many intervals contained what was "
    "measured, and their median width."
)


def report(data: Path, choice: argparse.Namespace) -> str:
    """What to print for the choices of the command line. Raises UnknownName and InvalidChoice."""
    with store.open_read_only(data) as connection:
        run_id = reads.runs.named_or_default(connection, choice.run)
        models = reads.runs.reward_models(connection, run_id)
        names = models["reward_model_id"].to_list()
        if choice.name not in names:
            raise UnknownName(f"run {run_id!r} has no reward model {choice.name!r}; it has {listed(names)}")
        if models["role"][names.index(choice.name)] == "golden" or list(choice.golden) == [choice.name]:
            raise InvalidChoice(f"{choice.name!r} counts as the truth here, so no policy of it has a regret")
        predicted = predictions(connection, run_id, choice.golden, seed=choice.seed)
    kind = models["kind"][names.index(choice.name)]
    if choice.json:
        return json.dumps(as_json(run_id, choice.name, kind, predicted, choice.seed))
    return names_on_one_line(_text(run_id, choice.name, predicted), names)


def as_json(run_id: str, name: str, kind: str, predicted: list[OfOptimizer], seed: int) -> Result:
    """The public form: plain lists and numbers, null where a figure is undefined or unknown."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "run": run_id,
        "reward_model": name,
        "kind": kind,
        "level": LEVEL,
        "guaranteed": round(words.GUARANTEED, 9),
        "features": list(FEATURES),
        "seed": seed,
        "optimizers": [
            {
                "optimizer": each.optimizer,
                "strength": each.strength,
                **(_of_result(each.result, name) if each.result else {"quantity": None, "why": each.why}),
            }
            for each in predicted
        ],
    }


def _of_result(result: PredictedRegret, name: str) -> Result:
    known = result.known
    return {
        "quantity": known.quantity,
        **_guess(result, name),
        "goldens": [{"golden": golden, **_guess(result, name, golden)} for golden in known.goldens if golden != name],
        "undefined_goldens": [golden for golden in known.undefined_goldens if golden != name],
        "new_kind": bool(words.new_kind(result, name)),
        "records": [
            {
                "predictor": predictor,
                "left_out": "kind" if kind else "reward model",
                "of": "pairs" if by_golden else "means",
                **result.record(predictor, kind=kind, by_golden=by_golden)._asdict(),
            }
            for predictor in PREDICTORS
            for kind in (False, True)
            for by_golden in (False, True)
        ],
    }


def _guess(result: PredictedRegret, name: str, golden: str | None = None) -> Result:
    guess = result.guess(name, golden)
    return {
        "value": guess.value,
        "low": guess.low,
        "high": guess.high,
        "measured": guess.measured,
        "learnt_from": guess.examples,
        "why": words.why_not(result, name, golden) or None,
    }


# Text ----------------------------------------------------------------------------------------------------------------


def _text(run_id: str, name: str, predicted: list[OfOptimizer]) -> str:
    lines = [f"What policies optimised against {name} would keep, predicted from its RM-test scores; run {run_id}", ""]
    for each in predicted:
        at = at_strength(each)
        if each.result is None:
            lines.append(f"{at}: no prediction: {each.why}.")
            continue
        lines.append(words.sentence(each.result, name, at))
        lines += [f"  {caution}" for caution in (words.new_kind(each.result, name),) if caution]
    results = [each.result for each in predicted if each.result is not None]
    if results:
        over = "; ".join(sorted({words.averaged(result, name) for result in results}))
        lines += ["", f"Figures are {over}. {words.BY}", words.PROMISE, words.SUPPORT, "", _HEADER]
    for each in predicted:
        if each.result is not None:
            lines += ["", f"  {at_strength(each):<18}{'each left out':>24}{'each kind left out':>24}"]
            lines += _records(each.result)
    return "\n".join(lines)


def at_strength(each: OfOptimizer) -> str:
    """By what the policies were optimised: `best-of-16`."""
    return optimizer_words(each.optimizer).at.format(f"{each.strength:g}")


def _records(result: PredictedRegret) -> list[str]:
    lines = []
    for predictor in PREDICTORS:
        cells = (words.did(result, predictor, kind=kind) for kind in (False, True))
        lines.append(f"  {words.PREDICTOR_WORDS[predictor]:<18}{''.join(f'{cell:>24}' for cell in cells)}")
    lacking = [
        f"{record.outside} outside the support and {record.few} with too few to learn from"
        f"{' with a kind left out' if kind else ''}"
        for kind in (False, True)
        if (record := result.record("features", kind=kind)) and record.outside + record.few
    ]
    return [*lines, *([f"  Not predicted: {'; '.join(lacking)}."] if lacking else [])]
