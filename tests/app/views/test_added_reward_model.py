"""Every page opens on a run that a reward model made elsewhere has joined, and the card says how it came about."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import app.views
from tests.app.conftest import OpenPage
from tests.helpers.reading import charts, said
from tests.helpers.study import Study, publish
from warehouse import ingest, store
from warehouse.schema import TABLES

VIEWS = sorted(path.parent.name for path in Path(app.views.__file__).parent.glob("*/page.py"))
URL = "http://rm.lan:5000/*get*"


@pytest.fixture(scope="module")
def joined_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated run with PPO, whose last reward model is a server's, without PPO. Tests must not write into it."""
    home = publish(tmp_path_factory.mktemp("joined"), Study(reward_models=4, ppo_steps=(5, 10)))
    with store.open_read_only(home) as connection:
        rows = {name: connection.execute(f'SELECT * FROM "{name}"').pl() for name in TABLES}
    is_added, unknown = pl.col("reward_model_id") == "rm-03", ("flip_rate", "train_pairs", "seed", "trainable_layers")
    rows["reward_model"] = rows["reward_model"].with_columns(
        pl.when(is_added).then(pl.lit("server")).otherwise("kind").alias("kind"),
        pl.when(is_added).then(pl.lit(URL)).otherwise("base_model").alias("base_model"),
        *(pl.when(~is_added).then(name).alias(name) for name in unknown),
    )
    rows["label"] = rows["label"].filter(~is_added)
    rows["ppo_run"] = rows["ppo_run"].filter(~is_added)
    rows["training_curve"] = rows["training_curve"].filter(~pl.col("model_id").str.ends_with("rm-03"))
    against = rows["policy"].filter((pl.col("optimizer") == "ppo") & is_added)["policy_id"].to_list()
    for table in ("policy", "response", "policy_value"):
        rows[table] = rows[table].filter(~pl.col("policy_id").is_in(against))
    rows["score"] = rows["score"].join(rows["response"].select("response_id"), on="response_id", how="semi")
    ingest.publish(home, rows, "test")
    return home


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_opens_on_it(view: str, joined_home: Path, open_view: OpenPage) -> None:
    page = open_view(view, joined_home)
    assert not page.exception
    assert not page.error


def test_its_card_says_how_it_came_about(joined_home: Path, open_view: OpenPage) -> None:
    page = open_view("reward_models", joined_home, reward_model="rm-03")
    assert not {metric.label for metric in page.metric} & {"Labels flipped", "Training pairs", "Trained", "Seed"}
    text = said(page)
    assert "The reward server at http://rm\\.lan:5000/\\*get\\*, added to the run" in text.replace("\\:", ":").replace(
        "\\/", "/"
    )
    assert "PPO against it is not run" in text
    assert "validation accuracy" in text.lower()
    assert charts(page) == 8  # all but its training curves and its PPO in the comparison


def test_ppo_is_shown_of_those_it_was_run_against(joined_home: Path, open_view: OpenPage) -> None:
    page = open_view("explore", joined_home, optimizer="ppo")
    assert not page.exception
    shown = "\n".join(str(chart.proto.spec) for chart in page.get("vega_lite_chart"))
    assert "rm-02" in shown
