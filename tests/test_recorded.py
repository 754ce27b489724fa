"""The recorded run that comes with the code: what is in it, that it opens at once, that the findings are its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from pipeline.__main__ import main
from pipeline.config import Config, load_profile
from pipeline.runs import exchange
from warehouse import store
from warehouse.exchange import MANIFEST

ROOT = Path(__file__).parent.parent
MOST_BYTES = 40_000_000
CATEGORIES = {"Chat", "Chat Hard", "Reasoning", "Safety"}


@pytest.fixture(scope="module")
def run() -> dict[str, object]:
    """Its row of table `run`."""
    return _table("run").row(0, named=True)


def _table(name: str) -> pl.DataFrame:
    return pl.read_parquet(exchange.RECORDED / f"{name}.parquet")


def test_it_is_small_enough_to_come_along() -> None:
    assert sum(path.stat().st_size for path in exchange.RECORDED.iterdir()) <= MOST_BYTES


def test_its_tables_are_those_of_the_manifest(recorded_home: Path) -> None:
    """Publishing refuses a table whose rows or checksum differ: what is published is what the pipeline wrote."""
    tables = json.loads((exchange.RECORDED / MANIFEST).read_text())["tables"]
    with store.open_read_only(recorded_home) as connection:
        for name, facts in tables.items():
            assert connection.execute(f"SELECT count(*) FROM {name}").fetchone() == (facts["rows"],)


def test_an_edited_table_is_refused(tmp_path: Path) -> None:
    edited = tmp_path / "edited"
    edited.mkdir()
    for path in exchange.RECORDED.iterdir():
        (edited / path.name).write_bytes(path.read_bytes())
    _table("policy_value").with_columns(pl.col("value") + 0.01).write_parquet(edited / "policy_value.parquet")
    with pytest.raises(Exception, match="policy_value"):
        exchange.publish_recorded(tmp_path / "data", edited)
    assert store.build_id(tmp_path / "data") is None


def test_it_says_where_how_long_and_from_which_code(run: dict[str, object]) -> None:
    host, timings = json.loads(str(run["host"])), json.loads(str(run["timings"]))
    assert host["cores"] >= 1
    assert host["processor"]
    assert host["memory_bytes"] > 0
    assert len(str(run["code_version"])) == 40  # a commit, without changes beside it
    assert {"python", "torch", "transformers", "duckdb"} <= json.loads(str(run["packages"])).keys()
    assert timings.keys() == {
        "prompts",
        "train_responses",
        "preferences",
        "features",
        "reward_models",
        "test_responses",
        "scores",
        "best_of_n",
        "ppo",
    }
    assert run["wall_s"] == pytest.approx(sum(stage["wall_s"] for stage in timings.values()), abs=0.1)


def test_its_settings_are_those_of_the_profile(run: dict[str, object]) -> None:
    assert Config.model_validate_json(str(run["config"])) == load_profile("recorded")


def test_it_is_as_large_as_the_study_asks() -> None:
    models, prompts, policies = _table("reward_model"), _table("prompt"), _table("policy")
    assert models.height >= 40
    assert models.filter(pl.col("kind").is_in(["flip", "seed"])).height >= 20
    others = {"size", "depth", "length", "category-flip", "margin-flip", "only-category", "ensemble"}
    assert set(models["kind"]) == others | {"flip", "seed"}
    assert models.filter(pl.col("kind").is_in(others)).height >= 16
    for split, number, least in (("rm_test", 144, 32), ("rl_test", 200, 64)):
        tested = prompts.filter(split=split)
        assert set(tested["category"]) == CATEGORIES
        assert tested.height >= number
        sampled = _table("response").filter(policy_id="initial").join(tested, on="prompt_id")
        sampled = sampled.group_by("prompt_id").len()
        assert sampled["len"].min() >= least
    assert sampled.filter(pl.col("len") >= 512).height >= 20
    every_model = set(models["reward_model_id"])
    for optimizer in ("bon", "tilted"):
        assert set(policies.filter(optimizer=optimizer)["reward_model_id"]) == every_model
    assert policies.filter(optimizer="bon")["strength"].max() == 512
    for optimizer, reward_models, checkpoints in (("rloo", 12, 4), ("ppo", 12, 4), ("sft", 24, 2)):
        of_one = policies.filter(optimizer=optimizer).group_by("reward_model_id").agg(pl.col("strength").n_unique())
        assert of_one.height >= reward_models
        assert of_one["strength"].min() >= checkpoints
    for optimizer in ("rloo", "ppo"):
        seeds = policies.filter(optimizer=optimizer, kl_coefficient=0.1).group_by("reward_model_id")
        assert seeds.agg(pl.col("repeat").n_unique())["repeat"].to_list() == [2] * 12
    swept = policies.filter(optimizer="rloo").group_by("reward_model_id").agg(pl.col("kl_coefficient").n_unique())
    assert swept.filter(kl_coefficient=2).height >= 6
    assert set(_table("ppo_run")["state"]) == {"finished"}


def test_its_responses_end_by_themselves() -> None:
    tested = _table("response").join(_table("prompt").filter(split="rl_test"), on="prompt_id")
    assert tested.filter(policy_id="initial")["finished"].mean() >= 0.9
    trained = _table("policy").filter(pl.col("optimizer").is_in(["rloo", "ppo", "sft"]))
    last = trained.filter(pl.col("strength") == pl.col("strength").max().over("optimizer"))
    assert last["finished_share"].mean() >= 0.9
    likes_length = pl.col("reward_model_id") == "length-0.50"
    assert last.filter(~likes_length)["finished_share"].min() >= 0.85
    assert last.filter(likes_length)["finished_share"].min() >= 0.7


def test_every_response_has_every_score() -> None:
    models, responses, scores = _table("reward_model"), _table("response"), _table("score")
    assert scores.select("response_id", "reward_model_id").n_unique() == scores.height
    scored = scores.group_by("response_id").len()
    assert set(scored["len"]) == {models.height}
    assert set(scored["response_id"]) <= set(responses["response_id"])
    assert scores["score"].is_finite().all()


def test_it_opens_without_torch(recorded_home: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline.runs import exchange; import app.access.warehouse\n"
        f"from warehouse import store; store.open_read_only(Path({str(recorded_home)!r})).close()\n"
        "sys.exit(' '.join({'torch', 'transformers'} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_a_warehouse_with_a_run_is_left_alone(recorded_home: Path) -> None:
    before = store.build_id(recorded_home)
    assert exchange.publish_recorded(recorded_home) is None
    assert store.build_id(recorded_home) == before


def test_the_findings_are_what_the_command_writes(
    recorded_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(recorded_home))
    assert main(["findings", "--run", "recorded", "--output", str(tmp_path / "findings.md")]) == 0
    shown = (ROOT / "docs" / "findings.md").read_text()
    written = (tmp_path / "findings.md").read_text().replace(str(tmp_path / "findings.md"), "docs/findings.md")
    assert written == shown
