"""Estimates, held against the manifest of a real run: its own, another profile's, and an extension's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline import runs
from pipeline.config import Config, load_profile
from pipeline.cost import estimate
from pipeline.cost.costs import Costs
from pipeline.cost.counts import counts
from pipeline.runs import extend
from tests.conftest import SMOKE_RUN, righttree

SMOKE = load_profile("smoke")


def manifest(home: Path) -> dict:
    return json.loads((home / "runs" / SMOKE_RUN / "manifest.json").read_text())


def changed(**settings: dict) -> Config:
    config = SMOKE.model_dump(mode="json")
    for section, values in settings.items():
        config[section] |= values
    return Config.model_validate(config)


def test_the_same_settings_take_what_the_run_took(smoke_home: Path) -> None:
    found = estimate.estimate(smoke_home, SMOKE)
    made = manifest(smoke_home)
    assert found.sources == (f"run {SMOKE_RUN}",)
    for stage, seconds in found.stages.items():
        assert seconds == pytest.approx(made["stages"][stage]["wall_s"], abs=0.01)
    assert found.wall_s == pytest.approx(made["wall_s"], rel=0.05)
    assert found.memory_bytes == max(facts["peak_resident_bytes"] for facts in made["stages"].values())
    assert not found.memory_is_least
    there = sum(path.stat().st_size for path in (smoke_home / "runs" / SMOKE_RUN).rglob("*") if path.is_file())
    assert found.disk_bytes == pytest.approx(there, rel=0.01)


def test_more_of_something_takes_longer_where_it_is_done_and_nowhere_else(smoke_home: Path) -> None:
    once = estimate.estimate(smoke_home, SMOKE).stages
    for config, stages in (
        (changed(test={"rl_test_samples": 16}), {"test_responses", "scores", "best_of_n"}),
        (changed(ppo={"steps": 4, "checkpoints": [1, 4]}), {"ppo"}),
        (changed(reward_models={"flip_rates": [0.0, 0.1, 0.2, 0.4]}), {"reward_models", "scores", "best_of_n", "ppo"}),
        (changed(preferences={"extra_samples": 4}), {"train_responses", "features", "reward_models"}),
    ):
        more = estimate.estimate(smoke_home, config).stages
        assert {stage for stage in once if more[stage] > 1.01 * once[stage]} - {"best_of_n"} == stages - {"best_of_n"}
        assert all(more[stage] == pytest.approx(once[stage]) for stage in once.keys() - stages)
    doubled = estimate.estimate(smoke_home, changed(ppo={"steps": 4, "checkpoints": [2, 4]})).stages
    assert 1.2 < doubled["ppo"] / once["ppo"] < 2.0  # its checkpoints are as many


def test_a_margin_flip_takes_two_trainings_and_an_ensemble_none() -> None:
    def training(*others: dict) -> float:
        return estimate.work(changed(reward_models={"trainable_layers": 0, "others": others}))["reward_models"]

    seed = training({"kind": "seed", "number": 1}) - training()
    assert seed > 0
    assert training({"kind": "margin-flip", "flip_rate": 0.2}) - training() == pytest.approx(2 * seed)
    assert training({"kind": "ensemble", "members": ("flip-0.00", "flip-0.20")}) == training()


def test_every_optimiser_s_policies_repeats_and_checkpoints_are_counted_with_its_own_settings() -> None:
    assert SMOKE.ppo is not None
    own = SMOKE.ppo.model_dump(mode="json") | {"samples_per_prompt": 4, "reward_models": ["flip-0.00", "flip-0.20"]}

    def work(**settings: object) -> float:
        return estimate.work(changed(ppo=own | settings))["ppo"]

    ppo, rloo = work(), work(algorithms=["rloo"])
    assert rloo < ppo  # no critic
    assert work(algorithms=["grpo"]) == rloo
    assert work(algorithms=["ppo", "rloo"]) == pytest.approx(ppo + rloo)
    assert work(algorithms=["ppo", "rloo"], each={"rloo": {"repeats": 3}}) == pytest.approx(ppo + 3 * rloo)
    assert work(repeats=2) == pytest.approx(2 * ppo)
    assert work(algorithms=["ppo", "rloo"], each={"rloo": {"reward_models": ["depth-0"]}}) == pytest.approx(
        ppo + rloo / 2
    )
    assert work(sweep=[0.5], sweep_reward_models=["flip-0.20"]) == pytest.approx(1.5 * ppo)
    last, first = work(test_samples=6, checkpoint_samples=1), work(test_samples=1, checkpoint_samples=6)
    assert last == pytest.approx(first)  # two checkpoints
    assert work(test_samples=6) > last > ppo


def test_sft_samples_and_scores_its_pool_once_whatever_the_number_of_policies() -> None:
    def costs(names: list[str], pool: int, steps: int = 2) -> Costs:
        ppo = {"algorithms": ["sft"], "reward_models": names, "pool_responses": pool, "steps": steps}
        return estimate.costs_of(changed(ppo=ppo | {"checkpoints": [steps], "test_samples": 1}))

    def of(found: Costs, what: str) -> float:
        return sum(term.value for term in found.stages["ppo"] if what in term.what)

    single, both = costs(["flip-0.00"], pool=4), costs(["flip-0.00", "flip-0.20"], pool=4)
    prompts = 4 * SMOKE.prompts.rm_train_per_category
    assert single.counts.trained[0].pool_texts == both.counts.trained[0].pool_texts == 4 * prompts
    for what in ("pool prompts read", "pool sampled", "pool scored"):
        assert 0 < of(single, what) == of(both, what) == pytest.approx(of(costs(["flip-0.00"], pool=8), what) / 2)
    for what in ("policy trained", "checkpoints"):
        assert of(both, what) == pytest.approx(2 * of(single, what))
    assert of(costs(["flip-0.00"], pool=4, steps=6), "policy trained") == pytest.approx(
        3 * of(single, "policy trained")
    )
    assert of(single, "rollouts") == 0


def test_many_samples_and_fewer_responses_to_paraphrases_are_counted() -> None:
    def texts(**test: int) -> int:
        return counts(changed(test=test)).test_texts

    usual, rm_test = texts(), 4 * SMOKE.prompts.rm_test_per_category
    assert texts(many_samples=20, many_prompts_per_category=1) - usual == 4 * (20 - SMOKE.test.rl_test_samples)
    assert texts(many_samples=20, many_prompts_per_category=99) - usual == (
        4 * SMOKE.prompts.rl_test_per_category * (20 - SMOKE.test.rl_test_samples)
    )
    assert usual - texts(paraphrase_responses=2) == rm_test * (SMOKE.test.rm_test_responses - 2)
    longer = counts(changed(prompts={"instructions": ["Answer in one short sentence."]}))
    assert longer.prompt_tokens > counts(SMOKE).prompt_tokens


def test_an_added_reward_model_reads_the_pool_of_sft_again_but_changes_no_policy() -> None:
    ppo = {"algorithms": ["sft"], "reward_models": ["flip-0.00"], "pool_responses": 4}
    old = changed(ppo=ppo)
    more = changed(ppo=ppo, reward_models={"flip_rates": [0.0, 0.1, 0.2, 0.4]})
    facts = {"wall_s": 60.0, "units": 2, "made": 2, "peak_resident_bytes": 1}
    known = estimate.Finished("a run", old, {"ppo": facts}, dict)
    missing = estimate.in_place(known, more).stages
    assert 0.0 < missing["ppo"] < 30.0


def test_larger_batches_take_more_memory_than_the_run_tells(smoke_home: Path) -> None:
    assert estimate.estimate(smoke_home, changed(policy={"batch_responses": 96})).memory_is_least
    assert not estimate.estimate(smoke_home, changed(policy={"batch_responses": 24})).memory_is_least


def test_training_all_layers_takes_more_time_and_memory_and_no_features(smoke_home: Path) -> None:
    def models(**settings: object) -> Config:
        return changed(reward_models={"others": [], **settings})

    once = estimate.estimate(smoke_home, models()).stages
    found = estimate.estimate(smoke_home, models(trainable_layers=-1))
    assert once["features"] > 0.0
    assert found.stages["features"] == 0.0
    assert found.stages["reward_models"] > 5 * once["reward_models"]
    assert found.memory_is_least
    again = estimate.estimate(smoke_home, models(trainable_layers=-1, gradient_checkpointing=True)).stages
    assert again["reward_models"] > 1.2 * found.stages["reward_models"]
    together = estimate.estimate(smoke_home, models(trainable_layers=-1, processes=2))
    assert "reward_models" not in together.stages  # no run was trained by two processes
    assert together.wall_s is None


def test_an_extension_takes_only_what_is_missing(smoke_home: Path) -> None:
    once = estimate.estimate(smoke_home, SMOKE).stages

    def of(additions: dict) -> dict[str, float]:
        config = extend.extended(smoke_home, SMOKE_RUN, additions)
        found = estimate.of_extension(smoke_home, SMOKE_RUN, config)
        assert found.wall_s is not None
        assert found.wall_s < sum(once.values())
        return {stage: seconds for stage, seconds in found.stages.items() if seconds}

    model = of({"flip_rates": [0.1]})
    assert model.keys() == {"reward_models", "scores", "best_of_n", "ppo"}
    assert model["ppo"] < once["ppo"] / 2
    assert model["reward_models"] < once["reward_models"]
    samples = of({"rl_test_samples": 12})
    assert samples.keys() == {"test_responses", "scores", "best_of_n"}
    assert samples["scores"] < once["scores"]
    assert "features" in of({"others": [{"kind": "depth", "trainable_layers": 2}]})


def test_an_extension_of_a_stopped_run_makes_up_for_it(smoke_home: Path, tmp_path: Path) -> None:
    shutil.copytree(smoke_home / "runs" / SMOKE_RUN, tmp_path / "runs" / SMOKE_RUN)
    config = extend.extended(tmp_path, SMOKE_RUN, {"rl_test_samples": 12})
    whole = estimate.of_extension(tmp_path, SMOKE_RUN, config)
    run = runs.open_run(tmp_path, SMOKE_RUN)
    progress = run.progress()
    for state in progress.stages:
        if state.name == "ppo":
            state.done = state.total // 2
    run.write_progress(progress)
    (run.path / "stages" / "ppo.json").unlink()
    stopped = estimate.of_extension(tmp_path, SMOKE_RUN, config)
    assert whole.stages["ppo"] == 0.0
    assert stopped.stages["ppo"] == pytest.approx(estimate.estimate(tmp_path, SMOKE).stages["ppo"] / 2, rel=0.2)


def test_without_a_run_here_the_package_s_is_named_with_its_machine(smoke_home: Path, tmp_path: Path) -> None:
    found = estimate.estimate(tmp_path, load_profile("quick"))
    assert len(found.sources) == 1
    assert "on another machine (" in found.sources[0]
    assert found.wall_s is not None
    assert 60 < found.wall_s < 3600
    shutil.copytree(smoke_home / "runs" / SMOKE_RUN, tmp_path / "runs" / SMOKE_RUN)
    facts = manifest(tmp_path)
    facts["host"]["cores"] += 1  # of another machine: it tells nothing of this one
    (tmp_path / "runs" / SMOKE_RUN / "manifest.json").write_text(json.dumps(facts))
    assert estimate.estimate(tmp_path, load_profile("quick")) == found


def test_a_model_that_no_run_had_is_not_estimated(smoke_home: Path) -> None:
    found = estimate.estimate(smoke_home, changed(policy={"model": "some/other-model"}))
    assert (found.wall_s, found.memory_bytes, found.disk_bytes, found.sources) == (None, None, None, ())
    assert "unknown" in estimate.text(found)


@pytest.mark.parametrize(
    ("arguments", "stages"),
    [
        (("run", "--profile", "smoke"), ["train_responses", "ppo"]),
        (("extend", SMOKE_RUN, "--rl-test-samples", "12"), ["test_responses", "scores"]),
    ],
)
def test_the_command_line_says_it_and_starts_nothing(
    smoke_home: Path, arguments: tuple[str, ...], stages: list[str]
) -> None:
    before = sorted(smoke_home.rglob("*"))
    done = righttree(*arguments, "--estimate", home=smoke_home)
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first.startswith("about ")
    assert f"estimated from run {SMOKE_RUN}" in first
    assert all(any(line.split()[0] == stage for line in rest) for stage in stages)
    assert sorted(smoke_home.rglob("*")) == before
