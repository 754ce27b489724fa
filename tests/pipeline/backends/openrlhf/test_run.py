"""Stage `ppo` by OpenRLHF, against a trainer that stands in for OpenRLHF's: what goes wrong, and who does what.

What OpenRLHF itself does is in `test_itself.py`. What the stand-in is: `standin_trainer.py`, docs/paper-scale.md.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline import flow, runs
from pipeline.backends.openrlhf import run as openrlhf_run
from pipeline.backends.openrlhf.checkpoints import checkpoint_folder, drop_broken_states, is_whole
from pipeline.backends.openrlhf.launch import PYTHON, RAY, Launch, launch, require_engine
from pipeline.config import Config, load_profile
from pipeline.context import Context, Plan, StageResult
from pipeline.errors import InvalidConfig, ModelUnavailable, TrainingFailed
from pipeline.runs import RunDirectory, extend, jobs
from pipeline.scoring.added import settings_of
from tests.pipeline.backends.openrlhf.site import site
from tests.pipeline.reward_models_elsewhere import checkpoint
from warehouse import reads, store
from warehouse.study import evaluate

HERE = Path(__file__).parent
RUN = "openrlhf-test"
STEPS, MODELS, ALGORITHMS = 4, ("flip-0.00", "flip-0.40"), ("ppo", "rloo")


def config(model: Path, **changed: Any) -> Config:
    settings = load_profile("smoke").model_dump(mode="json")
    settings["policy"] |= {"model": str(model)}
    settings["reward_models"] |= {"flip_rates": [0.0, 0.4], "others": []}
    settings["ppo"] |= {
        "engine": "openrlhf",
        "algorithms": list(ALGORITHMS),
        "openrlhf": {"gpus": 1, "silence_limit_s": 60.0},
        "steps": STEPS,
        "checkpoints": [2, 4],
        "trainable_layers": -1,
        "batch_responses": 16,
        "actor_learning_rate": 0.02,
        **changed,
    }
    return Config.model_validate(settings)


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site(wheel, HERE / "standin_trainer.py", tmp_path_factory.mktemp("openrlhf-site"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("tiny") / "policy", causal=True, initializer_range=0.2)


@pytest.fixture(scope="module")
def home(python: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a finished run. Tests must not write into it."""
    home = tmp_path_factory.mktemp("openrlhf-home")
    run = runs.create(home, config(model, each={"rloo": {"repeats": 2}}), RUN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PYTHON, str(python))
        flow.execute(run, io.StringIO())
    return home


def jobs_of(run: RunDirectory) -> dict[str, dict[str, Any]]:
    return {row["ppo_id"]: row for row in run.read("ppo_run").iter_rows(named=True)}


def test_repeats_are_policies_of_their_own_at_every_checkpoint(home: Path) -> None:
    with store.open_read_only(home) as connection:
        for algorithm in ALGORITHMS:
            found = reads.policies.of_optimizer(connection, RUN, algorithm)
            marks = ("", "-r1") if algorithm == "rloo" else ("",)
            expected = {f"{algorithm}-{step}{mark}/{name}" for step in (2, 4) for mark in marks for name in MODELS}
            assert set(found["policy_id"]) == expected
            assert found.height == len(expected)
            assert (found["kl"] > 0).all()
            assert set(found["kl_estimator"]) == {"k3"}
            values = reads.values.policy_values(connection, RUN, algorithm, 4.0)
            assert values.optimised_MMQ.shape[:2] == (2, 2)
            assert evaluate(reads.scores.score_cube(connection, RUN), values, replicates=20).prompts_used > 0
        strengths = reads.policies.strengths(connection, RUN)
        assert reads.policies.stopped_ppo(connection, RUN).is_empty()
    assert set(strengths["optimizer"]) == {"bon", *ALGORITHMS}
    ended = jobs_of(runs.open_run(home, RUN))
    assert set(ended) == {f"{algorithm}/{name}" for algorithm in (*ALGORITHMS, "rloo-r1") for name in MODELS}
    assert len({row["seed"] for row in ended.values()}) == len(ended)
    assert {row["state"] for row in ended.values()} == {"finished"}
    assert {row["steps_done"] for row in ended.values()} == {STEPS}


def begun(home: Path, target: Path, model: Path, **changed: Any) -> RunDirectory:
    """A copy of the finished run as it was before PPO, with other settings of that."""
    shutil.copytree(home / "runs" / RUN, target / "runs" / RUN)
    path = target / "runs" / RUN
    for name in ("stages/ppo.json", "stages/publish.json", "manifest.json"):
        (path / name).unlink()
    for part in path.glob("*/ppo-*.parquet"):
        part.unlink()
    for name in ("ppo", "curves"):
        shutil.rmtree(path / "work" / name, ignore_errors=True)
    (path / "config.json").write_text(config(model, **changed).model_dump_json())
    return runs.open_run(target, RUN)


@pytest.mark.deep  # four trainers; one that fails and one that diverges are in test_retry.py too
def test_a_process_that_goes_wrong_ends_its_policy_alone(
    home: Path, model: Path, python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"algorithms": ["rloo", "grpo"], "openrlhf": {"gpus": 1, "silence_limit_s": 15.0}}
    run = begun(home, tmp_path, model, **settings)
    monkeypatch.setenv(PYTHON, str(python))
    good, bad = MODELS
    trouble = {f"rloo:{good}": "crash", f"rloo:{bad}": "hang", f"group_norm:{good}": "no number"}
    monkeypatch.setenv("STANDIN_TROUBLE", json.dumps({**trouble, f"group_norm:{bad}": "no checkpoint"}))
    out = io.StringIO()
    flow.execute(run, out)
    ended = jobs_of(run)
    for name, state, steps, reason in (
        (f"rloo/{good}", "failed", 0, "OpenRLHF ended with exit code 1: RuntimeError: CUDA error: an illegal"),
        (f"rloo/{bad}", "failed", 0, "OpenRLHF hung and was ended: it printed nothing for 15 s"),
        (f"grpo/{good}", "diverged", 1, "policy_loss is nan in step 1"),
        (f"grpo/{bad}", "failed", 0, "OpenRLHF left no complete checkpoint of step 2"),
    ):
        row = ended[name]
        assert (row["state"], row["steps_done"], row["weights"]) == (state, steps, None), name
        assert row["reason"].startswith(reason)
        assert f"{name}: {state}, " in out.getvalue()
    assert run.stage_facts("ppo")["units"] == 1  # steps that were not trained are not counted as done
    with store.open_read_only(tmp_path) as connection:
        assert reads.policies.stopped_ppo(connection, RUN).height == 4
        assert set(reads.policies.strengths(connection, RUN)["optimizer"]) == {"bon"}


@pytest.mark.deep  # trains two policies again
def test_checkpoints_are_parts_which_other_workers_make_in_any_order(
    home: Path, model: Path, python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(home, tmp_path, model, algorithms=["rloo"])
    monkeypatch.setenv(PYTHON, str(python))
    made = []

    def elsewhere(context: Context, plan: Plan) -> StageResult:
        other = Context(run, context.progress)
        parts = plan(other)
        for name in reversed(parts.missing):
            made.append(name)
            parts.make(name)
        return StageResult(parts.total, parts.unit)

    flow.execute(run, io.StringIO(), elsewhere)
    assert made == [f"rloo-{name}-{step:05d}" for name in MODELS for step in (4, 2)]
    old = runs.open_run(home, RUN)
    for table in ("policy", "response", "score", "policy_value"):
        for unit in made:
            assert_frame_equal(run.read_part(table, "ppo", unit), old.read_part(table, "ppo", unit))
    checkpoints = pl.col("metric").str.starts_with("test_")
    for name in MODELS:
        curves = [of.read_part("training_curve", "ppo", f"rloo-{name}").filter(checkpoints) for of in (run, old)]
        assert_frame_equal(*curves, check_row_order=False)
    assert run.stage_facts("ppo")["units"] == len(MODELS) * STEPS


_CLUSTER = """
import subprocess, sys
from pathlib import Path

asked = Path(__file__).with_name("asked")
command = sys.argv[2]
with asked.open("a") as file:
    print(command, next((word for word in sys.argv if "submission-id" in word), sys.argv[-1]), file=file)
if command == "stop":
    sys.exit(0)
if asked.read_text().count("submit") <= REFUSALS:
    print("RuntimeError: Request failed with status code 500: No available agent to submit job.")
    sys.exit(1)
print("Job 'x' submitted successfully", flush=True)
sys.exit(subprocess.call(sys.argv[sys.argv.index("--") + 1 :]))
"""
"""In the place of `ray job`: a cluster whose agent refuses the first jobs, which a real one does only now and then."""


@pytest.mark.parametrize("refusals", [1, 9])
def test_a_job_that_the_cluster_refuses_is_submitted_again(
    home: Path, model: Path, wheel: Path, refusals: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(home, tmp_path / "home", model, algorithms=["rloo"], reward_models=[MODELS[0]])
    scripts = tmp_path / "site" / "ray" / "scripts" / "scripts.py"
    scripts.parent.mkdir(parents=True)
    for package in (scripts.parent, scripts.parents[1]):
        (package / "__init__.py").touch()
    scripts.write_text(_CLUSTER.replace("REFUSALS", str(refusals)))
    monkeypatch.setenv(PYTHON, str(site(wheel, HERE / "standin_trainer.py", tmp_path / "site")))
    monkeypatch.setenv(RAY, "http://head:8265")
    monkeypatch.setattr(openrlhf_run, "_ASKED_AGAIN_AFTER_S", (0.1, 0.1))
    if refusals == 1:
        flow.execute(run, io.StringIO())
        assert jobs_of(run)[f"rloo/{MODELS[0]}"]["state"] == "finished"
        assert run.stage_facts("ppo")["units"] == STEPS
    else:
        with pytest.raises(TrainingFailed, match=r"accepted no job .*status code 500.*: see to the cluster"):
            flow.execute(run, io.StringIO())
        assert run.read("ppo_run").is_empty()
    asked = [line.split() for line in scripts.with_name("asked").read_text().splitlines()]
    submitted = [name.removeprefix("--submission-id=") for verb, name in asked if verb == "submit"]
    assert len(submitted) == len(set(submitted)) == min(refusals + 1, 3)
    refused = submitted[: min(refusals, 3)]
    assert [name for verb, name in asked if verb == "stop"] == refused  # it may run although it was refused


def test_a_reward_model_that_joins_later_scores_its_checkpoints(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "runs", tmp_path / "runs")
    elsewhere = checkpoint(tmp_path / "elsewhere")
    settings = settings_of(model=str(elsewhere), name="elsewhere")
    longer = extend.create(tmp_path, RUN, {"added": [settings.model_dump()]}, "longer")
    flow.execute(longer, io.StringIO())
    scored = longer.read("score").join(longer.read("response"), on="response_id").filter(policy_id="rloo-4/flip-0.00")
    assert scored["reward_model_id"].unique().sort().to_list() == ["elsewhere", *MODELS]


def test_before_a_run_is_started_it_is_seen_whether_openrlhf_is_there(
    model: Path, python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PYTHON, raising=False)
    require_engine(load_profile("smoke"))
    with pytest.raises(ModelUnavailable, match=f"{PYTHON} is not set"):
        require_engine(config(model))
    monkeypatch.setenv(PYTHON, str(tmp_path / "gone"))
    with pytest.raises(ModelUnavailable, match="which is no program"):
        require_engine(config(model))
    monkeypatch.setenv(PYTHON, sys.executable)
    with pytest.raises(ModelUnavailable, match=r"needs OpenRLHF 0\.11\.2, got none"):
        require_engine(config(model))
    monkeypatch.setenv(PYTHON, str(python))
    require_engine(config(model))
    with pytest.raises(InvalidConfig, match="trainable_layers has to be -1"):
        require_engine(config(model, trainable_layers=2))
    found = launch()
    assert (found.python, found.ray_address) == (str(python), None)
    assert found.cpus >= 1
    assert found.environment["RAY_ADDRESS"] == "local"  # else it would join whatever cluster runs on this machine
    many = config(model, openrlhf={"gpus": found.cpus}, batch_responses=64 * found.cpus)
    with pytest.raises(InvalidConfig, match=f"{found.cpus + 1} in all, and this machine has {found.cpus}; use fewer"):
        require_engine(many)
    monkeypatch.setenv(RAY, "http://head:8265")
    require_engine(many)  # the cluster has its own
    assert "RAY_ADDRESS" not in launch().environment


def test_no_run_is_made_where_openrlhf_is_not_here(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PYTHON, raising=False)
    with pytest.raises(ModelUnavailable, match="is not set"):
        jobs.start(tmp_path, config(model))
    assert list(tmp_path.iterdir()) == []


def test_a_job_of_ray_gets_a_list_of_arguments_and_what_stops_it() -> None:
    command, at_end = Launch("/opt/python", 2, "http://head:8265").command(["--a.b=1"], "run-flip-0.00")
    ray = ["/opt/python", "-m", "ray.scripts.scripts", "job"]
    assert command[:6] == [*ray, "submit", "--address=http://head:8265"]
    assert command[6:] == [
        "--submission-id=run-flip-0.00",
        "--",
        "/opt/python",
        "-m",
        "openrlhf.cli.train_ppo_ray",
        "--a.b=1",
    ]
    assert at_end == [*ray, "stop", "--address=http://head:8265", "run-flip-0.00"]
    with pytest.raises(InvalidConfig, match="cannot be given to a job of Ray"):
        Launch("/opt/python", 2, "http://head:8265").command(["--a=$(id)"], "x")


def test_after_a_kill_it_goes_on_from_the_newest_step_that_is_whole(model: Path, tmp_path: Path) -> None:
    both = ("_actor", "_critic")
    actor, critic = (tmp_path / name for name in both)

    def save(network: Path, step: int) -> None:
        (network / f"global_step{step}").mkdir(parents=True)
        (network / "latest").write_text(f"global_step{step}")

    def next_step() -> list[str]:
        drop_broken_states(tmp_path, both)
        return [(network / "latest").read_text() for network in (actor, critic)]

    for network in (actor, critic):
        save(network, 8)
        save(network, 12)
    for step in (8, 12):
        shutil.copytree(model, tmp_path / f"global_step{step}_hf")
    assert next_step() == ["global_step12"] * 2
    save(actor, 16)
    shutil.copytree(model, tmp_path / "global_step16_hf")
    (critic / "global_step16").mkdir()  # its state was not written to its end
    assert next_step() == ["global_step12"] * 2
    assert {state.name for state in actor.glob("global*")} == {"global_step8", "global_step12"}
    assert not (tmp_path / "global_step16_hf").exists()  # it would pass for the weights of the second attempt
    save(actor, 16)
    save(critic, 16)
    (critic / "global_step16.tmp").mkdir()
    shutil.copytree(model, tmp_path / "global_step16_hf")
    (tmp_path / "global_step16_hf" / "tokenizer.json").write_text('{"version": "1.0",')
    assert next_step() == ["global_step12"] * 2
    assert {path.name for path in tmp_path.glob("*_hf")} == {"global_step8_hf", "global_step12_hf"}
    shutil.copytree(model, tmp_path / "final")
    assert next_step() == ["global_step12"] * 2
    assert (tmp_path / "final").exists()
    drop_broken_states(tmp_path)
    assert (actor / "latest").read_text() == "global_step12"


@pytest.mark.parametrize("broken", ["no state", "no name", "no weights", "no critic"])
def test_without_a_whole_step_it_begins_again(broken: str, model: Path, tmp_path: Path) -> None:
    state = tmp_path / "_actor" / "global_step2"
    state.mkdir(parents=True)
    (tmp_path / "_actor" / "latest").write_text("global_step2")
    weights = shutil.copytree(model, tmp_path / "global_step2_hf")
    drop_broken_states(tmp_path)
    assert state.exists()
    if broken == "no state":
        state.rmdir()
    elif broken == "no name":
        (tmp_path / "_actor" / "latest").unlink()
    elif broken == "no weights":
        (weights / "model.safetensors").unlink()
    drop_broken_states(tmp_path, ("_actor", "_critic") if broken == "no critic" else ("_actor",))
    assert not (tmp_path / "_actor").exists()
    assert not (tmp_path / "global_step2_hf").exists()


def test_a_folder_that_was_not_written_to_its_end_is_no_checkpoint(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "global_step4_hf"
    shutil.copytree(model, folder)
    assert is_whole(folder)
    assert checkpoint_folder(tmp_path, 4, 8) == folder
    assert checkpoint_folder(tmp_path, 8, 8) is None
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7])
    assert not is_whole(folder)
    shutil.copytree(model, folder, dirs_exist_ok=True)
    (folder / "tokenizer.json").write_text('{"version": "1.0",')
    assert not is_whole(folder)
    (folder / "tokenizer.json").unlink()
    assert not is_whole(folder)
    shutil.copytree(model, tmp_path / "final")
    assert checkpoint_folder(tmp_path, 8, 8) == tmp_path / "final"
    (tmp_path / "final" / "config.json").unlink()
    assert checkpoint_folder(tmp_path, 8, 8) is None
