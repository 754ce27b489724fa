"""The code beside a figure, run as it is shown: it gives the figure's numbers."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.notebook_code import scatter
from app.offers import Options
from app.state import Selection
from tests.app.conftest import OpenPage
from tests.app.popovers import opened
from tests.helpers import simulated

CHOICES: tuple[dict[str, str | list[str]], ...] = (
    {},
    {"measure": "spearman", "responses": "3", "noise": "0.2", "seed": "3", "category": ["Chat", "Safety"]},
    {"optimizer": "ppo", "kl": "1", "rl_category": ["Chat"]},
    {"goldens": ["rm-00", "rm-01"], "strength": "2"},
)


def codes(page: AppTest) -> list[str]:
    """The code beside the figures of the page, in their order."""
    assert not page.exception
    return [code.value for code in opened(page).code if code.value.startswith("import righttree")]


def computed(code: str) -> Any:
    """What the last of the lines, an expression, gives."""
    *lines, last = ast.parse(code).body
    assert isinstance(last, ast.Expr)
    names: dict[str, Any] = {}
    exec(compile(ast.Module(lines, []), "<figure>", "exec"), names)
    return eval(compile(ast.Expression(last.value), "<figure>", "eval"), names)


def points(chart: Any) -> list[tuple[float, ...]]:
    """The pairs that a chart of them holds, in its data: the measure and NDR."""
    rows = [row for data in chart.to_dict()["datasets"].values() for row in data if "ndr" in row and "value" in row]
    return sorted((round(row["value"], 6), round(row["ndr"], 6)) for row in rows if row["ndr"] is not None)


@pytest.mark.parametrize("query", CHOICES, ids=lambda query: " ".join(query) or "default")
def test_the_code_of_explore_gives_its_pairs(
    study_home: Path, open_view: OpenPage, query: dict[str, str | list[str]]
) -> None:
    page = open_view("explore", study_home, table=["scatter"], **query)
    assert not page.warning
    code = codes(page)[0]
    assert len(code.splitlines()) == 3
    shown = page.dataframe[0].value.dropna(subset=["ndr", "value"])
    shown = shown[shown["defined"]] if "defined" in shown else shown
    expected = sorted((round(value, 6), round(ndr, 6)) for value, ndr in zip(shown["value"], shown["ndr"], strict=True))
    assert points(computed(code)) == expected


def test_every_code_of_explore_measures_and_overview_runs(study_home: Path, open_view: OpenPage) -> None:
    explore = codes(open_view("explore", study_home, golden="rm-00", proxy="rm-01"))
    results = [computed(code) for code in explore]
    assert len(results) == 4
    assert points(results[0]) == points(results[1])
    assert set(results[2]) >= {"Chat", "Safety"}
    assert results[3].shape[0] == 4
    (measures,) = codes(open_view("measures", study_home))
    assert computed(measures).to_dict()
    overview, paper = codes(open_view("overview", study_home))
    assert overview == paper
    assert len(computed(overview)) == 2
    (power,) = codes(open_view("reward_models", study_home))
    assert computed(power).height > 2


@pytest.mark.parametrize(
    ("study", "keys"),
    [("ranks", ("chosen_bin", "rejected_bin")), ("categories", ("measured", "valued")), ("responses", ("responses",))],
)
def test_the_code_of_test_sets_gives_the_table(
    study_home: Path, open_view: OpenPage, study: str, keys: tuple[str, ...]
) -> None:
    key = "category-table" if study == "categories" else study
    page = open_view("test_sets", study_home, study=study, table=key, noise="0.1")
    (code,) = codes(page)
    results = computed(code)
    shown = page.dataframe[0].value
    if study == "responses":
        shown = shown[shown["held"] == "prompts"]
    compared = 0
    for _, row in shown.iterrows():
        place = tuple(row[name] for name in keys)
        result = results.get(place if len(keys) > 1 else place[0])
        if result is not None and row["sample"] == row["sample"]:
            assert result.kendall.sample.value == pytest.approx(row["sample"], abs=1e-6)
            compared += 1
    assert compared >= 2


@pytest.mark.parametrize("table", ["plan-curve", "plans"])
def test_the_code_of_a_budget_gives_the_correlation_of_every_split(
    study_home: Path, open_view: OpenPage, table: str
) -> None:
    query = {"plan_budget": "48", "plan_noise": "0.2", "category": "Safety"}
    page = open_view("test_sets", study_home, study="budget", table=table, **query)
    results = computed(codes(page)[table == "plans"])
    shown = page.dataframe[0].value
    rows = {(row["measure"], row["responses"]): row["sample"] for _, row in shown.iterrows()}
    for split, result in results.items():
        if result.kendall.sample.value is not None:
            assert rows[split] == pytest.approx(result.kendall.sample.value, abs=1e-6)
    assert len(results) >= 2
    assert table == "plans" or set(results) == set(rows)


def test_the_code_of_compared_runs_gives_each_runs_correlation(tmp_path: Path, open_view: OpenPage) -> None:
    for number, run_id in enumerate(("one", "two"), 1):
        simulated.publish(tmp_path, run_id=run_id, P=8, Q=8, M=4, seed=number, optimizers=("bon", "ppo")[:number])
    page = open_view("runs", tmp_path, first="one", second="two", table="headlines")
    (code,) = codes(page)
    (shown,) = (table.value for table in page.dataframe if "pairs" in table.value)
    results = computed(code)
    assert list(results) == [("one", "bon"), ("two", "bon"), ("two", "ppo")]
    rows = {(row["run_id"], row["optimizer"]): row["sample"] for _, row in shown.iterrows()}
    for place, result in results.items():
        assert rows[place] == pytest.approx(result.kendall.sample.value, abs=1e-6)


def test_names_are_written_as_literals() -> None:
    options = Options("it's", ("accuracy",), {}, {}, 5, {"bon": (8.0,)}, (), ())
    code = scatter(Selection(goldens=('a"b', "c\nd")), options)
    assert len(code.splitlines()) == 3
    ast.parse(code)
