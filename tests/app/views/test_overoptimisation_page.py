"""The Overoptimisation page on simulated runs with PPO and without, on odd ones, and without any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.charts import curves as charts_curves
from app.charts.curves import gains, goodhart
from app.views.overoptimisation import data
from app.views.overoptimisation import text as overoptimisation_text
from tests.app.conftest import OpenPage
from tests.helpers.reading import charts, choices, said
from tests.helpers.study import MARKUP, Study, publish
from warehouse import reads, store
from warehouse.metrics.cube import score_cube, spread_within_prompts
from warehouse.metrics.policies.worst_picks import worst_picks
from warehouse.study.curves.gain_curves import CURVES, gain_curves
from warehouse.study.curves.length_share import length_share

VIEW = "overoptimisation"


def test_every_figure_has_a_panel_for_each_optimizer(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home)
    assert not page.exception
    assert not page.warning
    assert charts(page) == 5 * 2 + 1 + 1  # how many responses end is known of PPO's policies alone
    text = said(page)
    assert "averaged over all golden–proxy pairs" in text
    assert "PPO: degree of overoptimisation γ" in text
    assert "resampling reward models × prompts" in text
    fits = page.dataframe[0].value
    assert fits["curve"].to_list() == [data.OWN, CURVES["golden"]] * 2
    assert (fits["alpha_low"] <= fits["alpha"]).all()


def test_the_golden_reward_is_drawn_without_length_too_with_the_figures_of_the_measure(
    study_home: Path, open_view: OpenPage
) -> None:
    page = open_view(VIEW, study_home)
    drawn = [chart for chart in page.get("vega_lite_chart") if data.LEFT_OVER in chart.proto.spec]
    assert len(drawn) == 2  # best-of-n and PPO
    assert "*Without length*" in said(page)
    with store.open_read_only(study_home) as connection:
        curves = reads.values.value_curves(connection, "simulated", "ppo")
        samples = reads.scores.initial_scores(connection, "simulated", "rl_test")
        features = reads.endings.features_of_curves(connection, "simulated", curves, samples)
    assert features is not None
    spread_M = spread_within_prompts(samples)
    result = gain_curves(curves, spread_M, replicates=50)
    explained = length_share(curves, features, spread_M, only_clear=False, replicates=50)
    points = data.gains(data.labelled(result, averaged=True), result.strengths)
    whole = data.with_left_over(points, [at.left for at in explained.at])
    left, golden = whole.filter(curve=data.LEFT_OVER), whole.filter(curve=CURVES["golden"])
    assert left["distance"].to_list() == golden["distance"].to_list()
    assert golden["gain"].to_list() == pytest.approx([at.gain.value for at in explained.at])
    assert left["gain"].to_list() == pytest.approx([at.left.value for at in explained.at])
    assert data.with_left_over(points, None).equals(points)


def test_the_fits_of_a_pair_are_those_of_the_measures(study_home: Path, open_view: OpenPage) -> None:
    with store.open_read_only(study_home) as connection:
        curves = reads.values.value_curves(connection, "simulated", "bon")
        scores = reads.scores.initial_scores(connection, "simulated", "rl_test").scores_MPR
    found = gain_curves(curves, spread_within_prompts(scores), golden="rm-00", proxy="rm-03")
    page = open_view(VIEW, study_home, golden="rm-00", proxy="rm-03")
    assert not page.exception
    assert "golden **rm\\-00**, proxy **rm\\-03**" in said(page)
    fits = page.dataframe[0].value.query("optimizer == 'Best-of-n'")
    assert fits["curve"].to_list() == list(CURVES.values())
    assert fits["alpha"].to_list() == pytest.approx([found.curves[name].alpha.value for name in CURVES])


def test_without_ppo_the_page_says_so_and_shows_best_of_n(without_ppo_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, without_ppo_home)
    assert not page.exception
    assert overoptimisation_text.NO_PPO in said(page)
    assert charts(page) == 5


def test_a_pair_is_kept_in_the_link_and_nonsense_is_one_line(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home)
    page.selectbox(key="choose.golden").set_value("rm-01").run()
    assert choices(page) == {"golden": ["rm-01"]}
    page = open_view(VIEW, study_home, golden="rm-01", proxy="rm-01", penalty="0.5", rl_category="Poetry", vibes="1")
    assert not page.exception
    (warning,) = page.warning
    for word in ("proxy=rm\\-01", "penalty", "rl\\-category=Poetry", "vibes"):
        assert word in warning.value
    assert choices(page) == {"golden": ["rm-01"]}


@pytest.mark.parametrize(
    "study",
    [
        Study(reward_models=1),
        Study(reward_models=2),
        Study(categories=("Chat",)),
        Study(constant=True),
        Study(samples=2),
        Study(ppo_steps=(5, 10, 20, 40), stops=(("rm-01", 10),)),
    ],
    ids=["one reward model", "two", "one category", "nothing defined", "too few strengths", "one diverged"],
)
def test_odd_runs_explain_themselves(tmp_path: Path, open_view: OpenPage, study: Study) -> None:
    page = open_view(VIEW, publish(tmp_path, study))
    assert not page.exception
    assert len(page.warning) == len(study.stops)
    text = said(page)
    for name, step in study.stops:
        assert f"ppo/{name}" in page.warning[0].value.replace("\\", "")
        assert f"at step {step} of 40: the loss is nan" in page.warning[0].value
    if study.reward_models == 1:
        assert "a golden and a proxy take two" in text
    if study.constant:
        assert "tell responses apart" in text
        assert "nothing can be counted" in text
    if study.samples == 2:
        assert "the degree γ is undefined" in text


def test_a_figure_of_ppos_training_can_be_chosen(study_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, study_home)
    page.selectbox(key="choose.metric").set_value("kl_k3").run()
    assert not page.exception
    assert choices(page) == {"metric": ["kl_k3"]}
    with store.open_read_only(study_home) as connection:
        curves = reads.policies.ppo_curves(connection, "simulated")
        frame = data.ppo_training(curves, reads.runs.reward_models(connection, "simulated"), "kl_k3")
    assert frame["reward_model"].unique().sort().to_list() == [f"ppo/rm-{m:02}" for m in range(4)]
    assert frame.filter(step=40)["value"].to_list() == [4.0] * 4
    assert frame.filter(reward_model="ppo/rm-03")["flip_rate"].unique().to_list() == [0.45]


def test_a_golden_whose_ppo_diverged_is_said_to_have_none(tmp_path: Path, open_view: OpenPage) -> None:
    home = publish(tmp_path, Study(ppo_steps=(5, 10, 20, 40), stops=(("rm-01", 10),)))
    page = open_view(VIEW, home, golden="rm-01")
    assert not page.exception
    assert "no ppo policies of reward model 'rm\\-01'" in said(page)


def test_a_hundred_reward_models_are_shown(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, publish(tmp_path, Study(reward_models=100, prompts=1, samples=8, responses=3)))
    assert not page.exception
    assert "pairs of the first 60 of 100 reward models" in said(page)


def test_without_a_warehouse_the_page_says_how_to_get_one(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, tmp_path)
    assert not page.exception
    assert page.title[0].value == "Nothing to explore yet"


def test_examples_are_shown_letter_by_letter(study_home: Path, open_view: OpenPage) -> None:
    with store.open_read_only(study_home) as connection:
        samples = reads.scores.initial_scores(connection, "simulated", "rl_test")
    scores, names, prompts = samples.scores_MPR, samples.reward_models, samples.prompts
    found = worst_picks(score_cube(scores))
    golden, proxy = data.most_hacked(found, names, None, None)
    g, m = names.index(golden), names.index(proxy)
    assert found.count_MM[g, m] == found.count_MM.max() > 0
    place = int(found.hacked_MMP[g, m].argmax())
    pick, prompt = int(scores[m, place].argmax()), prompts[place]
    page = open_view(VIEW, study_home)
    expected = MARKUP if pick == 0 else f"Answer {pick} of initial to {prompt}."
    texts = [element.value for element in page.text]
    assert expected in texts
    assert f"Question {int(prompt[-2:])} of {prompt[:-3]}?" in texts


def test_the_pair_of_most_examples_keeps_what_is_chosen() -> None:
    found = worst_picks(score_cube(np.random.default_rng(0).standard_normal((4, 60, 5))))
    names = ("a", "b", "c", "d")
    golden, proxy = data.most_hacked(found, names, "b", None)
    assert golden == "b"
    assert found.count_MM[1, names.index(proxy)] == max(found.count_MM[1, m] for m in (0, 2, 3))
    assert data.most_hacked(found, names, "b", "c") == ("b", "c")
    assert data.most_hacked(found, names, None, "a")[1] == "a"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"peak": 1.0, "peak_low": 0.5, "peak_high": 1.5}, "1.00 (0.50 to 1.50)"),
        ({"peak": 1.0, "peak_low": 0.5, "peak_high": None}, "1.00 (0.50 to beyond 2.00)"),
        ({"peak": 9.0, "peak_low": 0.5, "peak_high": 99.0}, "beyond 2.00 (0.50 to beyond 2.00)"),
        ({"peak": 9.0, "peak_low": 3.0, "peak_high": None}, "beyond 2.00"),
        ({"peak": None, "peak_low": None, "peak_high": None}, "none in sight (bends down in 40% of replicates)"),
    ],
)
def test_a_peak_is_told_beside_how_far_was_optimised(row: dict[str, float | None], text: str) -> None:
    assert overoptimisation_text.peak(row | {"farthest": 2.0, "bends": 0.4}) == text


def test_charts_take_their_colours_from_the_theme_and_name_their_axes() -> None:
    points = pl.DataFrame({"curve": ["a"], "strength": [2.0], "distance": [0.5], "gain": [1.0], "low": [0.5]})
    points = points.with_columns(high=1.5)
    pairs = pl.DataFrame({"golden": ["a"], "proxy": ["b"], "accuracy": [0.7], "slope": [0.5], "predicted": [0.6]})
    bins = pl.DataFrame({"accuracy": [0.7], "slope": [0.5], "low": [0.4], "high": [0.6], "predicted": [0.6]})
    along_frame = pl.DataFrame({"strength": [2.0], "ndr": [0.5], "low": [0.4], "high": [0.6], "undefined_pairs": [0]})
    lengths = pl.DataFrame({"policies": ["all"], "strength": [2.0], "length": [9.0], "low": [8.0], "high": [10.0]})
    for chart in (
        gains(points, points.select("curve", "distance", "gain"), "√KL"),
        goodhart(pairs, bins.with_columns(pairs=3), data.slope_line(pairs)),
        charts_curves.ndr(along_frame, "n", doubling=True),
        charts_curves.lengths(lengths, "Step", doubling=False, whole="all", unit="tokens"),
    ):
        specification = chart.to_dict()
        assert "#" not in str(specification["layer"])
        titles = {layer["encoding"].get(axis, {}).get("title") for layer in specification["layer"] for axis in "xy"}
        assert len(titles - {None}) >= 2


def test_the_line_reaches_down_to_an_accuracy_of_zero() -> None:
    accuracies = pl.DataFrame({"accuracy": [0.0, 0.2]})
    assert data.slope_line(accuracies)["accuracy"].min() == 0.0
    none = data.slope_line(accuracies.clear())["accuracy"]
    assert (none.min(), none.max()) == (pytest.approx(0.47), 1.0)
