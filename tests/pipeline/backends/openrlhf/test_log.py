"""What OpenRLHF prints of a step, written by its own logger, becomes points of a curve."""

from __future__ import annotations

import io
import logging
import math
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from pipeline import runs
from pipeline.backends.openrlhf.log import Diverged, Listener, error_in, measured, plain, step_in
from pipeline.config import PPOSettings, load_profile
from pipeline.runs.live_curve import LiveCurve
from pipeline.runs.progress import Progress
from tests.pipeline.backends.openrlhf.wheel import source_of

SETTINGS = PPOSettings(steps=2, checkpoints=(2,))
STATUS = {
    "reward": -1.4,
    "truncated": 0.2,
    "response_length": 208.0,
    "kl": 0.01,
    "logprobs_diff": -0.02,
    "policy_loss": -0.0123,
    "actor_lr": 1e-06,
    "ppo_clip_ratio": 0.125,
    "ppo_kl": 3.2e-05,
    "critic_loss": 0.75,
    "timing/make_experience": 12.5,
    "rollout/reward_mean": -1.5,
    "rollout/reward_std": 0.5,
    "rollout/response_length_mean": 210.25,
    "rollout/truncated_rate": 0.25,
    "rollout/num_samples": 256.0,
}
_ACTOR = """
import os, sys
os.environ["RAY_USAGE_STATS_ENABLED"], os.environ["RAY_AUTH_MODE"] = "0", "disabled"
import ray
ray.init(num_cpus=1, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": sys.argv[1]}})
@ray.remote
class PPOTrainer:
    def fit(self, status):
        from logging_utils import init_logger
        init_logger("openrlhf.trainer.ppo_trainer").info(f"✨ Global step 7: {status}")
print("plain:", flush=True)
ray.get(PPOTrainer.remote().fit.remote(eval(sys.argv[2])))
sys.stdin.read()  # until the line has come, which Ray brings a moment later
"""


@pytest.fixture(scope="module")
def logged(wheel: Path) -> logging.Handler:
    """OpenRLHF's own handler, with its formatter."""
    made: dict = {"__name__": "openrlhf.utils.logging_utils"}
    exec(compile(source_of(wheel, "openrlhf.utils.logging_utils"), "logging_utils", "exec"), made)
    handler = made["_default_handler"]
    assert isinstance(handler, logging.Handler)
    return handler


def line(handler: logging.Handler, message: str) -> str:
    record = logging.LogRecord("openrlhf.trainer.ppo_trainer", logging.INFO, "ppo_trainer.py", 543, message, None, None)
    return handler.format(record)


def test_the_trainer_s_own_words_are_the_ones_that_are_looked_for(wheel: Path) -> None:
    written = source_of(wheel, "openrlhf.trainer.ppo_trainer")
    assert 'logger.info(f"✨ Global step {global_step}: {log_status}")' in written
    for name in ("reward_mean", "reward_std", "response_length_mean", "truncated_rate"):
        assert f'"rollout/{name}":' in written
    actor = source_of(wheel, "openrlhf.trainer.ray.ppo_actor")
    critic = source_of(wheel, "openrlhf.trainer.ray.ppo_critic")
    assert all(f'"{name}"' in actor for name in ("policy_loss", "ppo_clip_ratio", "ppo_kl"))
    assert '"critic_loss"' in critic


def test_a_step_becomes_figures_under_the_names_of_our_own_ppo(logged: logging.Handler) -> None:
    found = step_in(line(logged, f"✨ Global step 12: {STATUS}"))
    assert found is not None
    assert found.number == 12
    assert found.figures == {
        "policy_loss": -0.0123,
        "actor_lr": 1e-06,
        "clip_share": 0.125,
        "update_kl": 3.2e-05,
        "value_loss": 0.75,
        "timing/make_experience": 12.5,
        "reward": -1.5,
        "reward_std": 0.5,
        "response_tokens": 210.25,
        "finished_share": 0.75,
        "rollout/num_samples": 256.0,
        "kl_per_token": 0.01,
        "logprobs_diff": -0.02,
    }
    penalised = measured(found.figures, kl_coefficient=0.1, truncation_score=-1.0)
    assert penalised["penalised_reward"] == -1.5
    assert penalised["penalised_reward_std"] == 0.5
    assert not {"reward", "reward_std"} & penalised.keys()
    assert penalised["kl_per_token"] == 0.01


def test_a_kl_that_was_not_measured_is_no_zero_in_the_curve() -> None:
    """Of a real log: without a KL coefficient, OpenRLHF has no reference model, and logs zeros."""
    said = "{'policy_loss': 0.00057, 'ppo_kl': 0.037, 'logprobs_diff': 0.0, 'kl': 0.0, 'rollout/reward_mean': -0.2}"
    found = step_in(f"INFO 11-28 21:13:10 ppo_trainer.py:551] ✨ Global step 1: {said}")
    assert found is not None
    assert measured(found.figures, kl_coefficient=0.0, truncation_score=None) == {
        "policy_loss": 0.00057,
        "update_kl": 0.037,
        "reward": -0.2,
    }
    assert measured(found.figures, kl_coefficient=0.1, truncation_score=None)["kl_per_token"] == 0.0


def test_no_numbers_are_kept_as_such(logged: logging.Handler) -> None:
    no_numbers = {"policy_loss": math.nan, "ppo_kl": -math.inf, "tag": "a"}
    found = step_in(line(logged, f"✨ Global step 1: {no_numbers}"))
    assert found is not None
    assert math.isnan(found.figures["policy_loss"])
    assert found.figures["update_kl"] == -math.inf
    assert "tag" not in found.figures


def test_other_lines_are_no_steps_and_errors_are_told(logged: logging.Handler) -> None:
    sample = line(logged, f"Sample: {['A story of a step {1: 2}', 0.5]}")
    assert step_in(sample) is None
    assert error_in(sample) is None
    assert step_in("") is None
    coloured = "\x1b[36m(PolicyModelActor pid=815, ip=10.0.0.2)\x1b[0m torch.OutOfMemoryError: CUDA out of memory."
    assert error_in(coloured) == "torch.OutOfMemoryError: CUDA out of memory."
    assert error_in("RuntimeError: no") == "RuntimeError: no"
    assert error_in("    raise RuntimeError(no)") is None
    assert plain("\x1b[36mHello\x1b[0m\r") == "Hello"


def test_what_ray_puts_before_an_actor_s_lines_is_passed_over(wheel: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    (tmp_path / "logging_utils.py").write_text(source_of(wheel, "openrlhf.utils.logging_utils"))
    with subprocess.Popen(
        [sys.executable, "-c", _ACTOR, str(tmp_path), repr(STATUS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        end = Timer(120, process.kill)
        end.start()
        printed = []
        for text in process.stdout:
            printed.append(text.rstrip("\n"))
            if "Global step" in text:
                break
        process.stdin.close()
        process.stdout.read()
        end.cancel()
    assert "Global step" in printed[-1], printed
    assert "PPOTrainer" in printed[-1]
    found = step_in(printed[-1])
    assert found is not None
    assert (found.number, found.figures["reward"]) == (7, -1.5)


_ENGINE = "\x1b[36m(RolloutRayActor pid=1072)\x1b[0m "
_WORKER = _ENGINE + "\x1b[0;36m(Worker pid=1229)\x1b[0;0m ERROR 11-28 20:45:40 [multiproc_executor.py:1055] "
_CORE = _ENGINE + "\x1b[0;36m(EngineCore pid=1191)\x1b[0;0m ERROR 11-28 20:45:40 [core.py:1376] "
_DEAD = "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above)."
ENGINE_DIES = f"""
\x1b[36m(PPOTrainer pid=1397)\x1b[0m INFO 11-28 20:45:39 ppo_trainer.py:551] ✨ Global step 1: {{'policy_loss': 0.5}}
{_WORKER}WorkerProc hit an exception.
{_WORKER}Traceback (most recent call last):
{_WORKER}    return self._op(*args, **kwargs)
{_WORKER}RuntimeError: Unsupported CPU attention configuration: head_dim=8 isa=1 kv_cache_idx=0
{_CORE}    raise RuntimeError(
{_CORE}RuntimeError: Worker failed with error 'Unsupported CPU attention configuration', please check the stack trace
{_ENGINE}ERROR 11-28 20:45:40 [async_llm.py:819] {_DEAD}
ray.exceptions.RayTaskError(EngineDeadError): \x1b[36mray::PPOTrainer.fit()\x1b[39m (pid=1397, ip=192.0.2.2)
  File "/opt/openrlhf/lib/python3.11/site-packages/vllm/v1/engine/core_client.py", line 1105, in get_output_async
    raise self._format_exception(outputs) from None
{_DEAD}
\x1b[36m(ReferenceModelActor pid=1329)\x1b[0m end bf16_ optimizer
"""
"""Lines of a real log, colours and all."""


def test_a_failure_s_reason_is_the_error_that_came_first(tmp_path: Path) -> None:
    run = runs.create(tmp_path, load_profile("smoke"), "heard")
    progress = Progress(run, ["ppo"], io.StringIO())
    progress.begin("ppo")
    listener = Listener(LiveCurve(run, "ppo/flip-0.00", "flip-0.00"), progress, SETTINGS, 0.0)
    listener.line("ValueError: it was overcome, as a step came after it")
    for text in ENGINE_DIES.splitlines():
        listener.line(text)
    assert listener.last_words == (
        f"RuntimeError: Unsupported CPU attention configuration: head_dim=8 isa=1 kv_cache_idx=0; in the end {_DEAD}"
    )
    assert not listener.submitted
    listener.line("2026-11-28 21:18:14,384\tSUCC cli.py:66 -- Job 'rayjob-grpo-flip-0.00-1449' submitted successfully")
    assert listener.submitted


def test_a_listener_puts_steps_into_the_curve_and_keeps_the_last_words(tmp_path: Path) -> None:
    run = runs.create(tmp_path, load_profile("smoke"), "heard")
    curve, progress = LiveCurve(run, "ppo/flip-0.00", "flip-0.00"), Progress(run, ["ppo"], io.StringIO())
    progress.begin("ppo")
    progress.plan(2, "steps")
    listener = Listener(curve, progress, SETTINGS, 0.0)
    assert (listener.steps_done, listener.last_words) == (0, "it printed nothing")
    listener.line("Global step 1: {'policy_loss': 0.5, 'rollout/reward_mean': -1.0}")
    listener.line("RuntimeError: CUDA error")
    listener.line("bye")
    assert (listener.steps_done, listener.advanced, listener.last_words) == (1, 1, "RuntimeError: CUDA error")
    with pytest.raises(Diverged, match="policy_loss is nan in step 2"):
        listener.line("Global step 2: {'policy_loss': nan, 'rollout/reward_mean': -2.0}")
    assert curve.frame().filter(metric="reward")["value"].to_list() == [-1.0, -2.0]
    resumed = Listener(curve, progress, SETTINGS, 0.0)
    assert resumed.steps_done == 2
    resumed.line("Global step 2: {'rollout/reward_mean': -3.0}")  # replaces what was reported of it before
    assert curve.frame().filter(metric="reward")["value"].to_list() == [-1.0, -3.0]
