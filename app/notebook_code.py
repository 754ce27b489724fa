"""Three lines of `righttree.py` that compute a figure of a page again, to copy into a notebook. Pure functions.

The last line is an expression: a chart, a mapping of results, or a list of charts. A test runs what each page shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

from app.offers import Options
from app.state import Selection
from warehouse.study import TestSet


def scatter(chosen: Selection, options: Options) -> str:
    """The scatter of golden–proxy pairs."""
    return _lines(chosen, options, f"rt.scatter({_evaluate(chosen, _test_set(chosen.test_set()))})")


def matrix(chosen: Selection, options: Options) -> str:
    """The heat map of golden–proxy pairs."""
    call = _evaluate(chosen, _test_set(chosen.test_set()))
    return _lines(chosen, options, f"rt.matrix({call}, {chosen.cells!r})")


def by_category(chosen: Selection, options: Options, categories: Sequence[str]) -> str:
    """A result for each category of the test prompts."""
    call = _evaluate(chosen, _test_set(chosen.test_set_of(None), categories="(name,)"))
    return _lines(chosen, options, f"{{name: {call} for name in {tuple(categories)!r}}}")


def scores(chosen: Selection, options: Options) -> str:
    """The scores of the responses, of every reward model, before prompts and responses are chosen."""
    return _lines(chosen, options, f"{_call('study.scores', **_source(chosen))}.scores_MPR")


def leaderboard(chosen: Selection, options: Options) -> str:
    """Every measure's Kendall τ, for the chosen policies."""
    call = _call("rt.evaluate_all", "study", _test_set(chosen.test_set()), **_policies(chosen), **_source(chosen))
    return _lines(chosen, options, f"rt.leaderboard({call})")


def rank_map(chosen: Selection, options: Options, bins: int) -> str:
    """A result for each pair of rank bins."""
    base = replace(chosen.test_set(), rank_bins=bins)
    call = _evaluate(chosen, _test_set(base, chosen_bin="i", rejected_bin="j"))
    return _lines(chosen, options, f"{{(i, j): {call} for i in range(2, {bins + 1}) for j in range(1, i)}}")


def category_table(chosen: Selection, options: Options, measured: Sequence[str], valued: Sequence[str]) -> str:
    """A result for each category that is measured on and each that policies are judged on."""
    test_set = _test_set(chosen.test_set_of(None), categories="(measured,)")
    call = _evaluate(chosen, test_set, rl_categories="(valued,)")
    loops = f"for measured in {tuple(measured)!r} for valued in {tuple(valued)!r}"
    return _lines(chosen, options, f"{{(measured, valued): {call} {loops}}}")


def by_responses(chosen: Selection, options: Options, counts: Sequence[int]) -> str:
    """A result for each number of responses per prompt, on the same prompts."""
    base = replace(chosen.test_set_of(None), rank_bins=None, chosen_bin=None, rejected_bin=None, prompts=chosen.prompts)
    call = _evaluate(chosen, _test_set(base, responses="count"))
    return _lines(chosen, options, f"{{count: {call} for count in {tuple(counts)!r}}}")


def plans(chosen: Selection, options: Options, budget: int, splits: Sequence[tuple[str, int]]) -> str:
    """A result for each of these ways to spend a budget: a measure, and the number of responses per prompt."""
    base = TestSet(
        categories=chosen.categories or None,
        subsets=chosen.subsets or None,
        seed=chosen.seed,
        budget=budget,
        noise=chosen.plan_noise or None,
    )
    call = _evaluate(chosen, _test_set(base, responses="count"), measure="name")
    return _lines(chosen, options, f"{{(name, count): {call} for name, count in {tuple(splits)!r}}}")


def runs(evaluated: Sequence[tuple[str, str]]) -> str:
    """A result of accuracy for each run and optimiser at its greatest strength."""
    opened = f"studies = {{run: rt.open(run=run) for run in {tuple(dict.fromkeys(run for run, _ in evaluated))!r}}}"
    call = "rt.evaluate(studies[run], optimizer=name, strength=studies[run].largest(name))"
    return f"import righttree as rt\n{opened}\n{{(run, name): {call} for run, name in {tuple(evaluated)!r}}}"


def power(run_id: str, first: str, second: str) -> str:
    """How many prompts it takes to see the difference between two reward models, from all prompts."""
    return f"{_opened(run_id, ())}\nrt.power(study, {first!r}, {second!r}).frame()"


def overview(run_id: str, optimizers: Sequence[str]) -> str:
    """The scatter of accuracy for each optimiser at its greatest strength."""
    call = "rt.scatter(rt.evaluate(study, optimizer=name, strength=study.largest(name)))"
    return f"{_opened(run_id, ())}\n[{call} for name in {tuple(optimizers)!r}]"


def _lines(chosen: Selection, options: Options, expression: str) -> str:
    return f"{_opened(options.run, chosen.goldens)}\n{expression}"


def _opened(run_id: str, goldens: Sequence[str]) -> str:
    chosen = f".with_goldens({', '.join(map(repr, goldens))})" if goldens else ""
    return f"import righttree as rt\nstudy = rt.open(run={run_id!r}){chosen}"


def _evaluate(chosen: Selection, test_set: str, measure: str = "", **given: str) -> str:
    """`measure` (default: the chosen one) and `given`, which are options, are code."""
    options = {**_policies(chosen), **_source(chosen), **given}
    return _call("rt.evaluate", "study", measure or repr(chosen.measure), test_set, **options)


def _policies(chosen: Selection) -> dict[str, str]:
    return _changed(
        optimizer=None if chosen.optimizer == "bon" else chosen.optimizer,
        strength=chosen.strength if chosen.kl is None else None,
        kl=chosen.kl,
        rl_categories=chosen.rl_categories or None,
    )


def _source(chosen: Selection) -> dict[str, str]:
    paraphrased = {"paraphrase": chosen.paraphrase, "seed": chosen.seed} if chosen.paraphrase else {}
    return _changed(source=chosen.sources or None, **paraphrased)


def _changed(**options: object) -> dict[str, str]:
    """The options that are not None, as code."""
    return {name: repr(value) for name, value in options.items() if value is not None}


def _test_set(test_set: TestSet, **given: str) -> str:
    """`rt.TestSet(responses=5)`; empty for all prompts and responses. `given` are fields as code."""
    changed = {entry.name: getattr(test_set, entry.name) for entry in fields(test_set)}
    changed = {
        name: value for name, value in changed.items() if value != getattr(TestSet(), name) and name not in given
    }
    if not any(name != "seed" for name in (*changed, *given)):
        return ""
    parts = [f"{name}={value!r}" for name, value in changed.items()] + [
        f"{name}={code}" for name, code in given.items()
    ]
    return f"rt.TestSet({', '.join(parts)})"


def _call(name: str, *arguments: str, **options: str) -> str:
    """A call with arguments and options as code, without the arguments that are empty."""
    parts = [argument for argument in arguments if argument]
    return f"{name}({', '.join([*parts, *(f'{option}={value}' for option, value in options.items())])})"
