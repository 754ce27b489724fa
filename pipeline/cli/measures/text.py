"""What `righttree measure` prints as text: a heading, correlations with what each figure says, and the pairs.

Results are the objects that `--json` prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Any

from warehouse.formats import percent
from warehouse.metrics.catalogue import CORRELATION_WORDS
from warehouse.study import CORRELATIONS, MEASURES
from warehouse.study.correlation import cautions
from warehouse.study.training_noise import seeds

Result = Mapping[str, Any]

THIS_TEST_SET = "this test set"

_FIGURES = {THIS_TEST_SET: None, "the measure itself": "measure_itself", "plain": "sample", "ceiling": "ceiling"}
"""The columns of the table, and the name of each in a correlation; None: the correlation's own value."""

_MEANING = (
    "this test set: how well the measure, on a test set of this size, predicts what policies are really worth (the",
    "  noise of their values is taken off)",
    "the measure itself: the same with unlimited RM-test prompts (the noise of both sides is taken off)",
    "plain: the correlation of the figures as they are, with all their noise",
    "ceiling: the greatest plain correlation that any measure could reach here, since policies are valued with noise",
)
_CELL = 24

_SHORT = {"ndr": "NDR", "gain": "gain, sd"}
_GAIN = (
    "no policy was optimised against a golden: the golden gain of each policy in standard deviations within prompts "
    "stands in the place of NDR"
)


def of_one(result: Result) -> str:
    """One measure: its correlations and a line for each pair."""
    lines = [*_heading(result, result["measure"]), "", f"  {'':<9} {_cells(_FIGURES)}"]
    for name in CORRELATIONS:
        row = [_interval(result[name] if key is None else result[name][key]) for key in _FIGURES.values()]
        lines.append(f"  {name:<9} {_cells(row)}")
    lines += ["", *_about_tau(result["kendall"]), *_MEANING]
    width = max(len(pair["golden"]) for pair in result["pairs"])
    width = max(width, *(len(pair["proxy"]) for pair in result["pairs"]))
    quantity = result["quantity"]
    lines += ["", f"  {'golden':<{width}}  {'proxy':<{width}}  {result['measure']:>15}  {_SHORT[quantity]:>9}"]
    for pair in result["pairs"]:
        figures = f"{_number(pair['value'], MEASURES[result['measure']].digits):>15}  {_number(pair[quantity]):>9}"
        lines.append(f"  {pair['golden']:<{width}}  {pair['proxy']:<{width}}  {figures}")
    return "\n".join(lines)


def of_all(results: Sequence[Result]) -> str:
    """All measures, a line each, the greatest Kendall τ first."""
    taus = {result["measure"]: result["kendall"]["value"] for result in results}
    last_if_undefined = {name: -inf if tau is None else tau for name, tau in taus.items()}
    ordered = sorted(results, key=lambda result: last_if_undefined[result["measure"]], reverse=True)
    lines = [*_heading(ordered[0], "all measures"), "", *_MEANING]
    lines += ["", f"noise ceiling of Kendall τ, for every measure: {_interval(ordered[0]['kendall']['ceiling'])}", ""]
    lines += [f"  {'':<15} {_cells(('Kendall τ:', '', 'plain, and its share', 'Spearman ρ:'))}"]
    lines += [f"  {'':<15} {_cells((THIS_TEST_SET, 'the measure itself', 'of the ceiling', THIS_TEST_SET))}"]
    for result in ordered:
        kendall = result["kendall"]
        plain = f"{_number(kendall['sample']['value'])}  {_of_ceiling(kendall)}"
        cells = (_interval(kendall), _interval(kendall["measure_itself"]), plain, _interval(result["spearman"]))
        lines.append(f"  {result['measure']:<15} {_cells(cells)}")
    return "\n".join(lines)


def of_comparison(result: Result) -> str:
    """The differences of two measures' correlations."""
    first, second = result["first"], result["second"]
    lines = [
        *_heading(first, f"{first['measure']} minus {second['measure']}"),
        "differences of the plain correlations, paired: what other reward models and prompts do to both cancels out;",
        "  intervals by Student’s t from what varies them more, leaving out reward models or drawing prompts again",
        "",
    ]
    for name in CORRELATIONS:
        minuend, subtrahend = (_number(side[name]["sample"]["value"]) for side in (first, second))
        lines.append(f"  {name:<9} {minuend} − {subtrahend} = {_interval(result['difference'][name])}")
    return "\n".join(lines)


def _heading(result: Result, what: str) -> list[str]:
    level = "within each golden" if result["level"] == "within" else "over all pairs"
    paraphrased = f", {result['paraphrase']:.0%} of the prompts paraphrased" if result["paraphrase"] else ""
    goldens, proxies = result["goldens"], {pair["proxy"] for pair in result["pairs"]}
    at = f"{result['strength']:g}" if "strength" in result else f"a KL of {result['kl']:g} nats"
    return [
        f"{what} against {'NDR' if result['quantity'] == 'ndr' else 'the golden gain'} of {result['optimizer']} at "
        f"{at}, {level}, run {result['run']}",
        *([f"golden: {', '.join(goldens)}"] if set(goldens) != proxies else []),
        f"{result['rm_test_prompts']} RM-test, {result['rl_test_prompts']} RL-test prompts, "
        f"{len(result['pairs'])} pairs, {result['undefined_pairs']} undefined",
        f"responses of {result['source']}{paraphrased}",
        "95 % intervals by Student’s t from leaving out each reward model and drawing prompts again, "
        f"{result['replicates']} replicates",
        *([line] if (line := seeds(result["repeats"], result["single_repeats"], result["optimizer"])) else []),
        *([] if result["quantity"] == "ndr" else [_GAIN]),
        *cautions(len(proxies), result["shared_prompts"]),
    ]


def _about_tau(kendall: Result) -> list[str]:
    """The plain τ beside its ceiling, and whether anything is predicted at all."""
    plain, ceiling = (_number(kendall[name]["value"]) for name in ("sample", "ceiling"))
    title, p_value = CORRELATION_WORDS["kendall"].title, kendall["p_value"]
    lines = [] if kendall["p_value"] is None else [f"no prediction at all: p = {p_value:.3f} (permutation test)"]
    if _of_ceiling(kendall):
        lines.insert(0, f"plain {title} {plain} is {_of_ceiling(kendall)} of its ceiling {ceiling}")
    return lines


def _of_ceiling(correlation: Result) -> str:
    plain, ceiling = correlation["sample"]["value"], correlation["ceiling"]["value"]
    return percent(plain / ceiling) if plain is not None and ceiling else ""


def _cells(cells: Iterable[str]) -> str:
    return " ".join(f"{cell:<{_CELL}}" for cell in cells).rstrip()


def _interval(estimate: Mapping[str, float | None]) -> str:
    if estimate["value"] is None:
        return "undefined"
    return f"{_number(estimate['value'])}  [{_number(estimate['low'])}, {_number(estimate['high'])}]"


def _number(value: float | None, digits: int = 3) -> str:
    return "undefined" if value is None else f"{value:z.{digits}f}"
