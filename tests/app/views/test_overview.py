"""The Overview on simulated runs, on odd ones, and without any; its sentences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

import app
from app.components import links
from app.views.overview import data
from app.views.overview import text as overview_text
from tests.app.conftest import OpenPage
from tests.helpers.reading import address, charts, said
from tests.helpers.small import evaluation
from tests.helpers.study import Study, publish
from warehouse import paper, reads, store
from warehouse.claims import Finding
from warehouse.claims.verdict import CANNOT_BE_TOLD, Verdict
from warehouse.study import Estimate, evaluate
from warehouse.study.resolution import Sizes, of_interval

VIEW = "overview"
WORDS = {"holds": "Holds", "refuted": "Refuted", CANNOT_BE_TOLD: "Cannot be told", "undefined": "Undefined"}


def test_the_page_shows_both_optimizers_the_findings_and_the_paper(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home)
    assert not page.exception
    assert not page.warning
    assert charts(page) == 3
    text = said(page)
    assert "best-of-8" in text
    assert "PPO at step 40" in text
    assert "leaving out each reward model in turn (jackknife) and resampling prompts" in text
    assert "The measure itself, with unlimited test prompts" in text
    assert "Noise ceiling" in text
    assert "its Table 1, printed without intervals" in text
    shown = [element.proto.page for element in page.get("page_link")]
    assert shown[:3] == ["explore", "explore", "measures"]  # the path of a first visit
    assert shown[3:] == ["explore", "choose", "test-sets", "measures", "overoptimisation", "reward-models"]
    assert set(shown) <= set(links.TITLES)


def test_it_is_the_page_that_the_dashboard_opens_with(study_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(study_home))
    page = AppTest.from_file(str(Path(app.__file__).parent / "main.py"), default_timeout=60).run()
    assert not page.exception
    assert page.title[0].value == "Does accuracy predict the policy?"
    (first, *_) = [element for element in page.main if hasattr(element, "value")]
    assert first == page.title[0]


def test_the_figures_are_those_of_the_measures(study_home: Path, open_view: OpenPage) -> None:
    with store.open_read_only(study_home) as connection:
        cube = reads.scores.score_cube(connection, "simulated")
        found = evaluate(cube, reads.values.policy_values(connection, "simulated", "bon", 8))
    tau = found.correlations["kendall"]
    assert f"**{tau.value:.2f}**".replace("-", "−") in said(open_view(VIEW, study_home))


def test_a_named_run_goes_along_with_the_links(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home, run="simulated")
    assert not page.warning
    assert address(page) == {"run": ["simulated"]}
    links_to = [element.proto.query_string for element in page.get("page_link")]
    assert all(query.startswith("run=simulated") for query in links_to)
    assert links_to[3:] == [
        "run=simulated",
        "run=simulated",
        "run=simulated&study=responses",
        "run=simulated",
        "run=simulated",
        "run=simulated",
    ]


def test_nonsense_in_a_link_is_one_line(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home, table="1", colour="red")
    assert not page.exception
    (warning,) = page.warning
    assert "table=1" in warning.value
    assert "colour" in warning.value


def test_without_ppo_there_is_one_panel(without_ppo_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, without_ppo_home)
    assert not page.exception
    assert charts(page) == 2
    assert "PPO" not in said(page.main)


@pytest.mark.parametrize(
    "study",
    [
        Study(reward_models=2),
        Study(reward_models=1),
        Study(categories=("Chat",)),
        Study(constant=True),
        Study(ppo_steps=(5, 10), stops=(("rm-01", 5),)),
    ],
    ids=["two reward models", "one reward model", "one category", "nothing defined", "one diverged"],
)
def test_odd_runs_explain_themselves(tmp_path: Path, open_view: OpenPage, study: Study) -> None:
    page = open_view(VIEW, publish(tmp_path, study))
    assert not page.exception
    assert not page.warning
    text = said(page)
    if study.reward_models == 1:
        assert "a golden and a proxy take two" in text
    elif study.reward_models < 3 or study.constant:
        assert "**Undefined**" in text
    if study.constant:
        assert "No golden–proxy pair is defined" in text
    if study.stops:
        assert "PPO: rm\\-01 left out" in text


def test_a_hundred_reward_models_are_shown(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, publish(tmp_path, Study(reward_models=100, prompts=2, samples=4, responses=4)))
    assert not page.exception
    assert charts(page) == 2


def test_without_a_warehouse_the_page_says_how_to_get_one(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, tmp_path)
    assert not page.exception
    assert page.title[0].value == "Nothing to explore yet"


@pytest.mark.parametrize("name", ["predicts", "responses", "measure", "harder"])
@pytest.mark.parametrize("opposite", [False, True])
@pytest.mark.parametrize("verdict", ["holds", "refuted", CANNOT_BE_TOLD, "undefined"])
def test_every_verdict_has_a_sentence_with_its_figure(name: str, verdict: Verdict, opposite: bool) -> None:
    opposite = opposite and verdict == "refuted"
    estimate = Estimate(None, None, None, 0) if verdict == "undefined" else Estimate(0.25, -0.5, 0.75, 100)
    facts = {"pairs": 6, "first": (2.0, 0.5), "last": (8.0, 0.25)}
    if name in ("responses", "measure"):
        facts = {"first": 0.5, "second": 0.25}
    finding = Finding(name, "Kendall τ", estimate, verdict, facts=facts, opposite=opposite)
    text = overview_text.sentence(finding, "best-of-8")
    assert text.endswith(".")
    assert "best-of-8" in text
    assert text.startswith(f"**{WORDS[verdict]}** for best-of-8")
    assert (verdict == "undefined") != ("**0.25** (95% interval −0.50 to 0.75)" in text)
    assert (verdict == CANNOT_BE_TOLD) == ("at this size" in text)


def test_a_first_visit_leads_from_the_question_to_a_telling_pair_and_to_what_to_use_instead(
    study_home: Path, open_view: OpenPage
) -> None:
    page = open_view(VIEW, study_home)
    scatter, pair, instead = page.get("page_link")[:3]
    assert [link.proto.label[0] for link in (scatter, pair, instead)] == ["2", "3", "4"]
    assert (scatter.proto.query_string, instead.proto.page) == ("run=simulated", "measures")
    opened = open_view("explore", study_home, **dict(parse_qsl(pair.proto.query_string)))
    assert not opened.exception
    assert not opened.warning
    assert opened.text  # the pair's responses


def test_a_telling_pair_loses_most_of_those_that_are_at_least_as_accurate_as_most() -> None:
    rows = [("a", "b", 0.9, 0.8), ("a", "c", 0.8, 0.1), ("b", "c", 0.5, -1.0), ("c", "b", 0.6, 0.0)]
    pairs = pl.DataFrame(rows, schema=["golden", "proxy", "value", "ndr"], orient="row").with_columns(defined=True)
    assert data.telling_pair(pairs) == ("a", "c")
    assert data.telling_pair(pairs.with_columns(defined=False)) is None


def test_what_cannot_be_told_says_what_would_tell_it_and_nothing_of_what_no_size_tells() -> None:
    resolution = of_interval(Estimate(0.25, -0.5, 1.0, 100), Sizes(6, 40, 50), effect=0.25)
    facts = {"pairs": 30, "undefined": 0}
    finding = Finding("predicts", "Kendall τ", Estimate(0.25, -0.5, 1.0, 100), CANNOT_BE_TOLD, facts=facts)
    assert "A run like this one" not in overview_text.sentence(finding, "best-of-8")
    text = overview_text.sentence(replace(finding, resolution=resolution), "best-of-8")
    assert text.endswith(
        "A run like this one tells a figure of about 1.07 with a probability of 80%; one of 0.25 takes 18.5 times the "
        "reward models and the prompts."
    )


def test_the_papers_figures_stand_beside_ours_and_without_ppo_alone() -> None:
    frame = data.against_paper({"bon": evaluation()})
    assert frame["paper"].to_list() == list(paper.ACCURACY_AGAINST_NDR.values())
    assert frame["value"].to_list() == [0.5, 0.5, None, None]
    assert frame["ceiling"].to_list() == [0.9, 0.9, None, None]
    assert frame["optimizer"].to_list() == ["Best-of-n", "Best-of-n", "PPO", "PPO"]
