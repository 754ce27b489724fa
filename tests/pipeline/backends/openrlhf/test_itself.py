"""OpenRLHF itself trains, on the CPU, in real runs: it is killed, resumed and scored. `make test-openrlhf` runs this.

Its environment has `tests/openrlhf_on_cpu.py` between OpenRLHF and the GPU that is not there.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaModel

from pipeline import flow, runs
from pipeline.backends.openrlhf.checkpoints import is_whole
from pipeline.backends.openrlhf.launch import PYTHON, RAY, Places, launch, train_ppo_arguments
from pipeline.backends.openrlhf.log import Listener, plain
from pipeline.backends.openrlhf.run import train_policy
from pipeline.cli import doctor
from pipeline.config import Config, load_profile
from pipeline.cost.costs import Costs
from pipeline.cost.counts import counts
from pipeline.cost.model_size import model_size
from pipeline.models.language_model import load
from pipeline.runs import RunDirectory
from pipeline.runs.live_curve import LiveCurve
from pipeline.runs.progress import Progress
from pipeline.scoring.added import opened, settings_of
from pipeline.scoring.export import export_rm
from tests.browser.serving import free_port
from tests.pipeline.backends.openrlhf.test_trainer import gone
from tests.pipeline.reward_models_elsewhere import checkpoint, reward_of, serving
from warehouse import reads, store

_PYTHON = os.environ.get("RIGHTTREE_TEST_OPENRLHF", "")
pytestmark = pytest.mark.skipif(not _PYTHON, reason="OpenRLHF is not installed; `make test-openrlhf` runs these tests")

RUN, JUDGE, STEPS = "itself", "flip-0.00", 4
PROMPTS = ["Name a fruit that is yellow and long.", "Say hello.", "What is the capital of France?", "Count to three."]
_PATIENCE_S = 1800.0  # for what hangs; a slow machine may take its time


@pytest.fixture(scope="module", autouse=True)
def _environment() -> Iterator[None]:
    """OpenRLHF's interpreter, and a folder of Ray's own in which another cluster seems to run."""
    folder = Path(tempfile.mkdtemp(prefix="rt-", dir="/tmp"))  # sockets need a short path
    (folder / "ray").mkdir()
    (folder / "ray" / "ray_current_cluster").write_text("127.0.0.1:9")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PYTHON, _PYTHON)
        patch.setenv("RAY_TMPDIR", str(folder))
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.delenv(RAY, raising=False)
        yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy as small as vLLM's attention allows, with an output layer that is its embedding."""
    shape = {"hidden_size": 64, "intermediate_size": 64, "initializer_range": 0.2, "tie_word_embeddings": True}
    return checkpoint(tmp_path_factory.mktemp("tiny") / "policy", causal=True, **shape)


def config(model: Path, reward_models: Mapping[str, Any] | None = None, **changed: Any) -> Config:
    settings = load_profile("smoke").model_dump(mode="json")
    settings["policy"] |= {"model": str(model), "max_new_tokens": 8}
    settings["reward_models"] |= {"flip_rates": [0.0, 0.4], "others": [], **(reward_models or {})}
    settings["ppo"] |= {
        "engine": "openrlhf",
        "algorithms": ["ppo"],
        "reward_models": [JUDGE],
        "openrlhf": {"gpus": 1, "silence_limit_s": _PATIENCE_S},
        "steps": STEPS,
        "checkpoints": [2, 4],
        "trainable_layers": -1,
        "batch_responses": 16,
        "actor_learning_rate": 0.002,
        **changed,
    }
    return Config.model_validate(settings)


@pytest.fixture(scope="module")
def home(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a run of PPO on our reward model, which was killed after the first checkpoint and resumed."""
    home = tmp_path_factory.mktemp("home")
    run = runs.create(home, config(model, truncation_score=-1.0), RUN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIGHTTREE_HOME", str(home))
        _kill_in_training(run)
        flow.execute(run, io.StringIO())
    return home


@pytest.fixture(scope="module")
def theirs(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a run of GRPO, under a KL penalty, on a reward model that OpenRLHF trained too."""
    theirs = tmp_path_factory.mktemp("theirs")
    reward_models = {
        "engine": "openrlhf",
        "trainable_layers": -1,
        "regularisation": 0.0,
        "learning_rate": 0.001,
        "batch_pairs": 8,
        "gradient_accumulation": 2,
        "epochs": 2,
    }
    flow.execute(
        runs.create(theirs, config(model, reward_models, algorithms=["grpo"], kl_coefficient=0.1), RUN), io.StringIO()
    )
    return theirs


def _kill_in_training(run: RunDirectory) -> None:
    working = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "resume", RUN], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    checkpoints = run.work_path("ppo", ".training", JUDGE, "checkpoints")

    def saved() -> bool:
        return (checkpoints / "_critic" / "latest").exists() and is_whole(checkpoints / "global_step2_hf")

    deadline = time.monotonic() + _PATIENCE_S
    while not saved() and working.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    working.send_signal(signal.SIGKILL)
    working.wait()
    assert saved()
    state = sum(path.stat().st_size for path in checkpoints.glob("_*/global_step2/*.pt"))
    weights = (checkpoints / "global_step2_hf" / "model.safetensors").stat().st_size
    run.write_json(run.path.parents[1] / "sizes.json", {"state": state, "weights": weights})


def log_of(home: Path, unit: str) -> list[str]:
    text = runs.open_run(home, RUN).work_path("ppo", f"{unit}.log").read_text(encoding="utf-8")
    return [plain(line) for line in re.split(r"[\r\n]", text)]


def printed(lines: list[str], figure: str) -> list[float]:
    """The last that was printed of each step."""
    steps = {}
    for line in lines:
        if found := re.search(rf"Global step (\d+): .*'{figure}': ([-\d.e]+)", line):
            steps[int(found[1])] = float(found[2])
    return [steps[step] for step in range(1, STEPS + 1)]


def test_killed_it_left_no_process_and_went_on_from_its_own_state(home: Path) -> None:
    lines = log_of(home, JUDGE)
    assert sum("Started a local Ray instance" in line for line in lines) == 2  # and did not join another cluster
    steps = [int(found[1]) for line in lines if (found := re.search(r"Global step (\d+):", line))]
    assert steps.count(1) == 1
    assert steps[-1] == STEPS
    (state,) = (line for line in lines if "checkpoint_states: " in line)
    assert re.search(r"'global_step': 2\b", state)
    processes = {int(found) for line in lines for found in re.findall(r"\b(?:Actor|Worker|PPOTrainer) pid=(\d+)", line)}
    assert len(processes) >= 4
    assert all(gone(process) for process in processes)


@pytest.mark.parametrize("algorithm", ["ppo", "grpo"])
def test_a_policy_is_there_at_every_checkpoint_and_all_reward_models_scored_it(
    algorithm: str, request: pytest.FixtureRequest
) -> None:
    home = request.getfixturevalue("home" if algorithm == "ppo" else "theirs")
    with store.open_read_only(home) as connection:
        policies = reads.policies.of_optimizer(connection, RUN, algorithm)
        assert reads.policies.stopped_ppo(connection, RUN).is_empty()
    assert set(policies["policy_id"]) == {f"{algorithm}-{step}/{JUDGE}" for step in (2, 4)}
    assert (policies["kl"] > 0).all()
    run = runs.open_run(home, RUN)
    (ended,) = run.read("ppo_run").iter_rows(named=True)
    assert (ended["state"], ended["steps_done"], run.stage_facts("ppo")["units"]) == ("finished", STEPS, STEPS)
    assert not run.work_path("ppo", ".training").exists()
    scores = run.read("score", "ppo").join(run.read("response", "ppo"), on="response_id")
    assert scores.group_by("policy_id").agg("reward_model_id")["reward_model_id"].list.n_unique().to_list() == [2, 2]


def test_the_last_weights_were_trained_and_have_their_tied_layer_twice(home: Path, theirs: Path, model: Path) -> None:
    before = load_file(model / "model.safetensors")
    for run in (runs.open_run(home, RUN), runs.open_run(theirs, RUN)):
        after = load_file(run.path / run.read("ppo_run")["weights"].item() / "model.safetensors")
        assert after.keys() - before.keys() == {"lm_head.weight"}  # which the estimate of disk space counts
        assert torch.equal(after["lm_head.weight"], after["model.embed_tokens.weight"])
        assert max((after[name].float() - before[name]).abs().max().item() for name in before) > 0.001


def test_the_plan_counts_the_networks_and_the_bytes_that_there_are(home: Path, theirs: Path, model: Path) -> None:
    def actors(lines: list[str]) -> set[str]:
        return {name for line in lines for name in re.findall(r"\b(\w+)ModelActor pid=", line)}

    assert actors(log_of(home, JUDGE)) == {"Policy", "Critic", "Reward"}  # without a KL penalty there is no π_0
    assert actors(log_of(theirs, f"grpo-{JUDGE}")) == {"Policy", "Reference", "Reward"}
    settings = config(model)
    costs = Costs(settings, model_size(str(model)), counts(settings))
    disk = {term.what: term for term in costs.disk}
    sizes = json.loads((home / "sizes.json").read_text())
    assert disk["states to resume from"].value / 2 == pytest.approx(sizes["state"], rel=0.01)  # it keeps two
    assert disk["checkpoints of a policy"].value / 3 == pytest.approx(sizes["weights"], rel=0.01)


def curve(home: Path, metric: str) -> list[float]:
    with store.open_read_only(home) as connection:
        points = reads.policies.ppo_curves(connection, RUN).filter(metric=metric)
    return points.sort("step")["value"].to_list()


def test_curves_have_what_was_measured_under_names_that_say_what_it_is(home: Path, theirs: Path) -> None:
    grpo = log_of(theirs, f"grpo-{JUDGE}")
    assert curve(theirs, "reward") == printed(grpo, "rollout/reward_mean")
    assert curve(theirs, "kl_per_token") == printed(grpo, "kl")
    (ended,) = runs.open_run(theirs, RUN).read("ppo_run").iter_rows(named=True)
    assert ended["reward_mean"] == curve(theirs, "reward")[0]
    assert ended["reward_std"] > 0
    ppo = log_of(home, JUDGE)
    assert printed(ppo, "kl") == [0.0] * STEPS  # which nobody measured: there is no reference model
    assert curve(home, "kl_per_token") == curve(home, "logprobs_diff") == curve(home, "reward") == []
    shares, penalised = curve(home, "finished_share"), curve(home, "penalised_reward")
    assert [value for value, share in zip(penalised, shares, strict=True) if share == 0] == [-1.0] * STEPS
    (ended,) = runs.open_run(home, RUN).read("ppo_run").iter_rows(named=True)
    assert ended["reward_mean"] is None
    for trained in (home, theirs):
        assert len(curve(trained, "policy_loss")) == STEPS
        assert all(value > 0 for value in curve(trained, "test_kl_k3"))
        assert not [*curve(trained, "truncated"), *curve(trained, "response_length"), *curve(trained, "kl")]


def test_its_rewards_are_rounded_to_bfloat16(theirs: Path) -> None:
    lines = log_of(theirs, f"grpo-{JUDGE}")
    rewards = [float(found[1]) for line in lines if (found := re.search(r"Sample: \[.*, (-?[\d.e-]+)\]$", line))]
    assert len(rewards) == STEPS
    assert torch.tensor(rewards).bfloat16().double().tolist() == pytest.approx(rewards, abs=1e-9)


def test_reward_models_that_it_trained_score_as_their_weights_say(theirs: Path, model: Path, tmp_path: Path) -> None:
    """In the run, by their own weights read apart from it, and exported."""
    run = runs.open_run(theirs, RUN)
    texts = run.read("response").join(run.read("prompt").select("prompt_id", prompt="text"), on="prompt_id")
    language_model = load(str(model))
    for name, weights in run.read("reward_model").select("reward_model_id", "weights").iter_rows():
        head = load_file(run.path / weights / "model.safetensors")["score.weight"].float()
        decoder = LlamaModel.from_pretrained(run.path / weights, dtype=torch.float32).eval()
        scored = run.read("score").filter(reward_model_id=name).join(texts, on="response_id").head(12)
        assert scored["score"].n_unique() > 1
        own = []
        for prompt, text in scored.select("prompt", "text").iter_rows():
            ids = [*language_model.prompt_ids(prompt), *language_model.response_ids(text)]
            with torch.no_grad():
                own.append((decoder(input_ids=torch.tensor([ids])).last_hidden_state[0, -1] @ head[0]).item())
        assert own == pytest.approx(scored["score"].to_list(), abs=1e-3)
        export_rm(theirs, RUN, name, tmp_path / name)
        elsewhere = opened(settings_of(model=str(tmp_path / name), name=name, dtype="float32"))
        assert elsewhere.score([*scored.select("prompt", "text").iter_rows()]) == pytest.approx(own, abs=1e-3)


class Direct:
    """A policy that is trained without a run's stage: its figures, how it ended, and what was printed."""

    def __init__(self, folder: Path, model: Path, reward: str, name: str) -> None:
        settings = config(model, algorithms=["rloo"], steps=2, checkpoints=[2])
        assert settings.ppo is not None
        prompts = folder / "prompts.jsonl"
        prompts.write_text("".join(f'{{"prompt": "{prompt}"}}\n' for prompt in PROMPTS * 2))
        places = Places(str(model), reward, prompts, folder / "checkpoints")
        run, openrlhf = runs.create(folder, settings, name), launch()
        progress = Progress(run, ["ppo"], io.StringIO())
        progress.begin("ppo")
        self.curve, ppo = LiveCurve(run, "rloo/remote", "rloo-remote"), settings.ppo
        self.trained = train_policy(
            openrlhf,
            train_ppo_arguments(settings, places, algorithm="rloo"),
            name=name,
            log=folder / "direct.log",
            silence_limit_s=_PATIENCE_S,
            new_listener=lambda: Listener(self.curve, progress, ppo, 0.0),
            say=print,
        )
        self.log = (folder / "direct.log").read_text(encoding="utf-8")
        self.checkpoint = places.checkpoints / "global_step2_hf"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the dashboard of a cluster that OpenRLHF's environment runs, on ports of its own."""
    gcs, dashboard, agent, client = (str(free_port()) for _ in range(4))
    start = [
        "-m",
        "ray.scripts.scripts",
        "start",
        "--head",
        "--block",
        "--disable-usage-stats",
        "--include-dashboard=1",
    ]
    start += [f"--temp-dir={os.environ['RAY_TMPDIR']}/cluster", f"--port={gcs}", f"--dashboard-port={dashboard}"]
    start += [f"--dashboard-agent-listen-port={agent}", f"--ray-client-server-port={client}"]
    supervisor = [sys.executable, "-m", "pipeline.backends.openrlhf.trainer", _PYTHON]
    log = tmp_path_factory.mktemp("cluster") / "log"
    with log.open("w") as file:
        cluster = subprocess.Popen([*supervisor, *start], stdin=subprocess.PIPE, stdout=file, stderr=file)
    deadline = time.monotonic() + _PATIENCE_S
    while cluster.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", int(dashboard)), timeout=5):
            break
        time.sleep(0.5)
    assert cluster.poll() is None, log.read_text()
    yield f"http://127.0.0.1:{dashboard}"
    assert cluster.stdin is not None
    cluster.stdin.close()  # which ends all that it started
    cluster.wait(120)


def test_doctor_finds_it_and_the_cpus_that_it_reserves() -> None:
    found, cpus = doctor.openrlhf(needed=True, gpus=16)
    assert found.ok
    assert _PYTHON in found.found
    assert not cpus.ok  # of the sixteen that it has on paper, none would be left for the trainer
    assert doctor.openrlhf(needed=True, gpus=4)[1].ok


def test_a_job_of_a_cluster_trains_with_the_rewards_of_a_server(
    model: Path, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RAY, address)
    with serving() as server:
        job = Direct(tmp_path, model, server.url, "job")  # which a cluster that has just started refuses at first
    assert (job.trained.state, job.trained.reason) == ("finished", None)
    assert job.trained.listener.steps_done == 2
    assert "Connecting to existing Ray cluster" in job.log
    assert (job.checkpoint / "model.safetensors").exists()
    queries = [query for asked in server.asked for query in asked["query"]]
    assert len(queries) == 2 * 16
    language_model = load(str(model))
    shown = tuple(language_model.tokenizer.decode(language_model.prompt_ids(prompt)) for prompt in PROMPTS)
    assert all(query.startswith(shown) for query in queries)  # as the run's own sampler shows them
    means = job.curve.frame().filter(metric="reward").sort("step")["value"]
    assert means.mean() == pytest.approx(sum(map(reward_of, queries)) / len(queries), abs=1e-5)


def test_a_failure_is_named_by_its_cause_and_not_by_what_died_of_it(tmp_path: Path) -> None:
    """vLLM's attention on a CPU refuses heads of 8, deep in a worker; what is printed last is that the engine died."""
    narrow = checkpoint(tmp_path / "narrow", causal=True)
    with serving() as server:
        state, reason, _ = Direct(tmp_path, narrow, server.url, "narrow").trained
    assert state == "failed"
    assert reason is not None
    cause = "RuntimeError: Unsupported CPU attention configuration: head_dim=8"
    assert reason.startswith(f"OpenRLHF ended with exit code 1: {cause}")
    assert "; in the end " in reason
