"""Extended runs: everything already computed is reused, the rest is computed, and the rows are a fresh run's."""

from __future__ import annotations

import hashlib
import io
import shutil
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline import flow, runs
from pipeline.config import Config, load_profile
from pipeline.errors import InvalidSetting, ReadOnly, RunBusy
from pipeline.runs import RunDirectory, extend, jobs
from pipeline.stages import STAGES
from tests.conftest import righttree
from tests.pipeline.runs.test_resume import rows
from warehouse.schema import TABLES

_REMADE = ("policy_value/best_of_n-00000", "policy/best_of_n-00000", "policy/test_responses-00000")


def smaller(config: Config) -> Config:
    """Two reward models, one category, no PPO."""
    settings = config.model_dump(mode="json") | {"ppo": None}
    settings["policy"] |= {"max_new_tokens": 8, "batch_responses": 16}
    settings["prompts"] |= {"categories": ["Safety"], "rm_train_per_category": 8}
    settings["prompts"] |= {"rm_test_per_category": 4, "rl_test_per_category": 4}
    settings["reward_models"] |= {"flip_rates": [0.0, 0.4], "others": [], "trainable_layers": 0}
    settings["test"] |= {"rl_test_samples": 4, "rm_test_responses": 3, "source_responses": 1}
    return Config.model_validate(settings)


def executed(run: RunDirectory) -> RunDirectory:
    flow.execute(run, io.StringIO())
    return run


def files(run: RunDirectory, skip: tuple[str, ...] = _REMADE) -> dict[str, int]:
    """Parts, weights and features of a run with their inodes: the same number is the same file."""
    kept = [path for path in run.path.rglob("*") if path.parts[-2] in TABLES or "work" in path.parts]
    named = {str(path.relative_to(run.path)): path for path in kept if path.is_file()}
    return {name: path.stat().st_ino for name, path in named.items() if not name.startswith(skip)}


def content(run: RunDirectory) -> dict[str, str]:
    """Every file of a run but its lock, by its content."""
    paths = [path for path in run.path.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(run.path)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


class Chain:
    """A run extended three times: PPO, then reward models from where that was stopped, then samples and one more."""

    def __init__(self, home: Path, config: Config) -> None:
        self.home = home
        self.base = executed(runs.create(home, smaller(config), "base"))
        self.base_before = content(self.base)
        self.optimised = executed(extend.create(home, "base", {"ppo_steps": 1}, "optimised"))
        self.stopped = self._stopped("stopped")
        self.stopped_files = files(self.stopped)
        wider = {"flip_rates": ["0.1"], "others": [extend.reward_model("depth=1,epochs=1")]}
        self.wider = executed(extend.create(home, "stopped", wider, "wider"))
        deeper = {"rl_test_samples": 6, "others": [extend.reward_model("size=0.5")]}
        self.deeper = executed(extend.create(home, "wider", deeper, "deeper"))
        self.fresh = executed(runs.create(home, self.deeper.config, "fresh"))

    def _stopped(self, name: str) -> RunDirectory:
        """The optimised run as if it had been stopped: some scores, and the second policy of PPO, not made yet."""
        path = shutil.copytree(self.optimised.path, self.home / "runs" / name)
        lost = [*path.glob("score/scores-0000[12].parquet"), *path.glob("*/ppo-flip-0.40*.parquet")]
        lost += [path / "manifest.json", *(path / "stages" / f"{stage}.json" for stage in STAGES[6:])]
        for file in lost:
            file.unlink()
        shutil.rmtree(path / "work" / "ppo" / "flip-0.40")
        return runs.open_run(self.home, name)


@pytest.fixture(scope="module")
def chain(tiny_config: Config, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return Chain(tmp_path_factory.mktemp("extended"), tiny_config)


def test_an_extended_run_has_the_rows_of_a_fresh_run_with_its_settings(chain: Chain) -> None:
    for table in set(TABLES) - {"score", "policy_value"}:
        assert_frame_equal(rows(chain.home, "deeper", table), rows(chain.home, "fresh", table))
    models = ("depth-1", "flip-0.00", "flip-0.10", "flip-0.40", "size-0.50")
    assert chain.deeper.config.reward_models.ids == models
    values = chain.deeper.read("policy_value", "ppo")
    assert set(values["golden_id"]) == set(models)
    assert set(values["policy_id"]) == {f"ppo-1/{name}" for name in models}


def test_its_scores_agree_too_except_rounding_of_texts_sampled_before_a_reward_model_was_added(chain: Chain) -> None:
    """A fresh run's checkpoints are scored by what was read while sampling; a later reward model reads the texts."""
    joined = {"flip-0.00": 0, "flip-0.40": 1, "flip-0.10": 1, "depth-1": 1, "size-0.50": 2}
    policy_of = rows(chain.home, "fresh", "response").select("response_id", "policy_id")
    for table, model, figure in (("score", "reward_model_id", "score"), ("policy_value", "golden_id", "value")):
        extended, fresh = (rows(chain.home, run_id, table) for run_id in ("deeper", "fresh"))
        assert_frame_equal(extended.drop(figure), fresh.drop(figure))
        policies = (
            fresh if "policy_id" in fresh.columns else fresh.join(policy_of, on="response_id", maintain_order="left")
        )
        later = [
            policy.startswith("ppo-1/") and joined[name] > joined[policy.removeprefix("ppo-1/")]
            for policy, name in policies.select("policy_id", model).iter_rows()
        ]
        assert 0 < sum(later) < len(later) / 4
        assert_frame_equal(extended.filter(~pl.Series(later)), fresh.filter(~pl.Series(later)))
        one, other = (frame.filter(pl.Series(later))[figure] for frame in (extended, fresh))
        assert (one - other).abs().max() < 0.15  # bfloat16, in another batch
        assert (one - other).abs().mean() < 0.1 * other.std()


@pytest.mark.parametrize(
    ("before", "after"), [("base", "optimised"), ("optimised", "wider"), ("wider", "deeper"), ("base", "deeper")]
)
def test_existing_rows_are_kept(chain: Chain, before: str, after: str) -> None:
    for table in ("response", "score", "preference", "label", "reward_model", "training_curve", "ppo_run"):
        old, new = rows(chain.home, before, table), rows(chain.home, after, table)
        keys = [name for name in TABLES[table].keys if name != "run_id"]
        assert_frame_equal(new.join(old.select(keys), on=keys, how="semi").sort(keys), old)


def test_nothing_is_computed_twice(chain: Chain) -> None:
    for source, run in (
        (files(chain.base), chain.optimised),
        (chain.stopped_files, chain.wider),
        (files(chain.wider), chain.deeper),
    ):
        made = files(run)
        assert {name for name, inode in source.items() if made.get(name) != inode} <= _read_again(run)
    facts = {stage: chain.deeper.stage_facts(stage) for stage in STAGES}
    assert {stage: facts[stage]["made"] for stage in ("prompts", "train_responses", "features", "reward_models")} == {
        "prompts": 0,
        "train_responses": 0,
        "features": 0,
        "reward_models": 1,
    }
    assert facts["test_responses"]["made"] == 4 * (6 - 4)
    assert facts["ppo"]["made"] == 1
    assert chain.optimised.stage_facts("scores")["made"] == 0


def _read_again(run: RunDirectory) -> set[str]:
    """Features are read again if a depth is added that they do not have."""
    added = run.run_id == "wider"
    return {str(path.relative_to(run.path)) for path in run.work_path("features").glob("*")} if added else set()


def test_the_extended_run_itself_is_not_changed(chain: Chain) -> None:
    assert content(chain.base) == chain.base_before
    assert jobs.status(chain.home, "base").state == "finished"


def test_an_extended_run_records_what_it_extends(chain: Chain) -> None:
    manifest = jobs.manifest(chain.home, "deeper")
    assert manifest is not None
    assert [run["run_id"] for run in manifest["config"]["extends"]] == ["base", "stopped", "wider"]
    assert [run["rl_test_samples"] for run in manifest["config"]["extends"]] == [4, 4, 4]
    first = jobs.manifest(chain.home, "base")
    assert first is not None
    assert manifest["config"]["extends"][0]["code_version"] == first["code_version"]
    assert manifest["config"]["extends"][1]["code_version"] is None


def test_samples_are_numbered_in_rounds() -> None:
    config = smaller(load_profile("smoke"))
    assert config.rl_test_rounds == (range(4),)
    grown = {**config.model_dump(), "extends": [{"run_id": "a", "rl_test_samples": n} for n in (2, 3, 3)]}
    assert Config.model_validate(grown).rl_test_rounds == (range(2), range(2, 3), range(3, 4))
    with pytest.raises(ValueError, match="at least that of every run"):
        Config.model_validate({**grown, "extends": [{"run_id": "a", "rl_test_samples": 5}]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "nothing is added to smoke-test"),
        ("--rl-test-samples 8", "nothing is added to smoke-test"),
        ("--ppo-steps 2", "nothing is added to smoke-test"),
        ("--rl-test-samples 4", "righttree: --rl-test-samples is 4; run smoke-test has 8 already"),
        ("--flip-rate 0.2", "run smoke-test has the reward model flip-0.20 already"),
        ("--flip-rate 0.1 --flip-rate 0.1", "two values differ by less than 0.01"),
        ("--flip-rate 1.5", "--flip-rate: Input should be less than 1; got 1.5"),
        ("--ppo-steps 4", "run smoke-test has policies of 2 steps"),
        ("--reward-model depth=0", "has the reward model depth-0 already"),
        ("--reward-model size", "reward model 'size': give size=…"),
        ("--reward-model taste=1", "reward model 'taste=1': give size=…"),
        ("--reward-model size=2", "--reward-model: train_share: Input should be less than 1; got '2'"),
        ("--flip-rate 0.1 --run-id smoke-test", "exists already"),
        ("--flip-rate 0.1 --run-id ../x", "run id"),
    ],
)
def test_an_invalid_addition_is_refused_in_one_line_with_exit_code_2(
    smoke_home: Path, options: str, message: str
) -> None:
    before = sorted(smoke_home.rglob("*"))
    done = righttree("extend", "smoke-test", *options.split(), home=smoke_home)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert message in done.stderr
    assert sorted(smoke_home.rglob("*")) == before


def test_a_missing_or_running_run_is_not_extended(tiny_config: Config, tmp_path: Path) -> None:
    done = righttree("extend", "gone", "--flip-rate", "0.1", home=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    with (
        runs.create(tmp_path, smaller(tiny_config), "one").working(),
        pytest.raises(RunBusy, match="righttree cancel one"),
    ):
        extend.create(tmp_path, "one", {"flip_rates": [0.1]})
    with pytest.raises(InvalidSetting, match="seed: cannot be added"):
        extend.create(tmp_path, "one", {"seed": 1})
    assert runs.run_ids(tmp_path) == ["one"]


def test_an_extension_runs_in_the_background_unless_the_server_is_read_only(
    tiny_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.create(tmp_path, smaller(tiny_config), "one")
    monkeypatch.setenv(jobs.READ_ONLY, "1")
    with pytest.raises(ReadOnly, match="cannot be extended"):
        jobs.extend(tmp_path, "one", {"flip_rates": [0.1]})
    assert runs.run_ids(tmp_path) == ["one"]
    monkeypatch.delenv(jobs.READ_ONLY)
    new = jobs.extend(tmp_path, "one", {"flip_rates": ["0.1"]})
    try:
        assert jobs.status(tmp_path, new).state == "running"
        assert runs.open_run(tmp_path, new).config.reward_models.flip_rates == (0.0, 0.4, 0.1)
    finally:
        jobs.cancel(tmp_path, new)


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("size=0.25", {"kind": "size", "train_share": "0.25"}),
        ("depth=all, learning_rate=1e-4", {"kind": "depth", "trainable_layers": "-1", "learning_rate": "1e-4"}),
        (
            "category-flip=Chat Hard, flip_rate=0.1",
            {"kind": "category-flip", "flipped_category": "Chat Hard", "flip_rate": "0.1"},
        ),
        ("margin-flip=0.1", {"kind": "margin-flip", "flip_rate": "0.1"}),
        ("ensemble=flip-0.00+seed-1", {"kind": "ensemble", "members": ["flip-0.00", "seed-1"]}),
        ("length=0.5,flip_rate=0.1", {"kind": "length", "length_bias": "0.5", "flip_rate": "0.1"}),
    ],
)
def test_a_reward_model_of_another_kind_can_be_written_as_text(text: str, settings: dict[str, object]) -> None:
    assert extend.reward_model(text) == settings


def test_files_are_copied_if_the_file_system_has_no_links(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(chain.base.path, tmp_path / "runs" / "base")

    def refuses(*_: object) -> None:
        raise PermissionError("links are not allowed here")

    monkeypatch.setattr("os.link", refuses)
    run = extend.create(tmp_path, "base", {"rl_test_samples": 6})
    copied, source = files(run), files(chain.base)
    assert set(copied) == set(source)
    assert not set(copied.values()) & set(source.values())
    for name in copied:
        assert (run.path / name).read_bytes() == (chain.base.path / name).read_bytes()
