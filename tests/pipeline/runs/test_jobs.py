"""Background jobs on real processes: started, waiting, cancelled, resumed; refused on a read-only server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline import runs
from pipeline.config import Config, PPOSettings, load_profile
from pipeline.config.changes import with_steps
from pipeline.errors import InvalidSetting, PipelineError, ReadOnly, RunBusy
from pipeline.runs import jobs
from tests.conftest import righttree


def wait_until(holds: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def state(data: Path, run_id: str) -> str:
    return jobs.status(data, run_id).state


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder in which no process is left running."""
    yield tmp_path
    for run_id in runs.run_ids(tmp_path):
        worker = runs.open_run(tmp_path, run_id).worker()
        if worker not in (None, os.getpid()):
            os.kill(worker, signal.SIGKILL)


def test_a_started_run_is_running_at_once_and_is_cancelled_within_seconds(tiny_config: Config, data: Path) -> None:
    run_id = jobs.start(data, tiny_config)
    assert state(data, run_id) == "running"
    assert jobs.executing(data) == run_id
    worker = runs.open_run(data, run_id).worker()
    assert worker is not None
    assert os.getsid(worker) != os.getsid(0)  # closing this terminal would not end it
    wait_until(lambda: jobs.status(data, run_id).stages[0].state == "done")

    begun = time.monotonic()
    jobs.cancel(data, run_id)
    assert time.monotonic() - begun < 10
    assert state(data, run_id) == "interrupted"
    assert jobs.executing(data) is None
    assert f"stopped by the user; `righttree resume {run_id}` continues it" in jobs.log_tail(data, run_id)
    assert jobs.status(data, run_id).stages[0].state == "done"

    jobs.resume(data, run_id)
    assert state(data, run_id) == "running"
    jobs.cancel(data, run_id)


def test_a_second_run_waits_for_the_first_and_then_runs(tiny_config: Config, data: Path) -> None:
    first = runs.create(data, tiny_config, "first")
    with first.working():
        second = jobs.start(data, tiny_config)
        assert (jobs.status(data, second).state, jobs.status(data, second).waits_for) == ("waiting", "first")
        assert state(data, "first") == "running"
        with pytest.raises(RunBusy, match=f"righttree cancel {second}"):
            jobs.resume(data, second)
        console = runs.open_run(data, second).path / "console.txt"
        wait_until(lambda: "waiting: first is running" in console.read_text())
    wait_until(lambda: state(data, second) == "running")
    jobs.cancel(data, second)


def test_a_waiting_run_is_cancelled_too(tiny_config: Config, data: Path) -> None:
    first = runs.create(data, tiny_config, "first")
    with first.working():
        second = jobs.start(data, tiny_config)
        assert righttree("cancel", second, home=data).stdout.startswith(f"{second} is stopped")
        assert state(data, second) == "interrupted"
        assert state(data, "first") == "running"


def test_a_process_that_ignores_the_signal_is_killed(tiny_config: Config, data: Path) -> None:
    run_id = jobs.start(data, tiny_config)
    worker = runs.open_run(data, run_id).worker()
    assert worker is not None
    os.kill(worker, signal.SIGSTOP)
    jobs.cancel(data, run_id, patience_s=0.2)
    assert state(data, run_id) == "interrupted"


def test_cancelling_a_run_in_a_terminal_does_not_end_the_process_that_started_it(
    tiny_profile: Path, data: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", "--profile", str(tiny_profile), "--run-id", "one"],
        env={**os.environ, "RIGHTTREE_HOME": str(data)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert os.getpgid(process.pid) == os.getpgid(0)  # by force it would end this test too, if its group were ended
    wait_until(lambda: runs.run_ids(data) == ["one"] and state(data, "one") == "running")
    process.send_signal(signal.SIGSTOP)
    jobs.cancel(data, "one", patience_s=0.2)
    assert process.wait() == -signal.SIGKILL
    assert state(data, "one") == "interrupted"


def test_a_process_that_does_not_hold_the_run_is_not_touched(tiny_config: Config, data: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        with runs.create(data, tiny_config, "one").working():
            (runs.runs_folder(data) / "one" / ".lock").write_text(str(stranger.pid))
            with pytest.raises(PipelineError, match="not visible from here"):
                jobs.cancel(data, "one", patience_s=0.2)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.skipif(os.getuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")
@pytest.mark.parametrize("started", ["", " 1"])
def test_a_stranger_s_process_that_has_the_id_by_now_is_not_ended_though_its_files_are_not_to_be_seen(
    tiny_config: Config, data: Path, started: str
) -> None:
    """As root in a container, who may end every process but not look into those of other users."""
    stranger = subprocess.Popen(["sleep", "60"], user=65534)
    try:
        with runs.create(data, tiny_config, "one").working():
            (runs.runs_folder(data) / "one" / ".lock").write_text(f"{stranger.pid}{started}")
            cancel = [sys.executable, "-m", "pipeline", "cancel", "one"]
            done = subprocess.run(
                ["setpriv", "--inh-caps=-sys_ptrace", "--bounding-set=-sys_ptrace", *cancel],
                env={**os.environ, "RIGHTTREE_HOME": str(data)},
                capture_output=True,
                text=True,
                check=False,
            )
        assert (done.returncode, stranger.poll()) == (2, None)
        assert "not visible from here" in done.stderr
    finally:
        stranger.kill()
        stranger.wait()


def test_cancel_on_the_command_line_stops_the_running_run(tiny_config: Config, data: Path) -> None:
    assert righttree("cancel", home=data).stdout == "nothing to cancel: no run is running\n"
    run_id = jobs.start(data, tiny_config)
    assert righttree("cancel", home=data).stdout == f"{run_id} is stopped; `righttree resume {run_id}` continues it\n"
    assert state(data, run_id) == "interrupted"
    refused = righttree("cancel", run_id, home=data)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "is not running: it is interrupted" in refused.stderr


def test_a_job_that_fails_says_why(tiny_config: Config, data: Path) -> None:
    config = tiny_config.model_copy(
        update={"policy": tiny_config.policy.model_copy(update={"model": str(data / "no-model")})}
    )
    run_id = jobs.start(data, config)
    wait_until(lambda: state(data, run_id) == "failed", 120)
    error = jobs.status(data, run_id).error
    assert error is not None
    assert "no-model" in error
    assert "stopped: " in jobs.log_tail(data, run_id)


def test_a_job_that_cannot_start_says_why(tiny_config: Config, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.create(data, tiny_config, "one")
    monkeypatch.setenv("PYTHONPATH", str(data / "broken"))
    broken = data / "broken" / "pipeline"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("")
    (broken / "__main__.py").write_text("raise SystemExit('this installation is broken')")
    jobs.resume(data, "one")
    status = jobs.status(data, "one")
    assert (status.state, status.error) == ("failed", "this installation is broken")


@pytest.mark.parametrize("value", ["1", "yes"])
def test_read_only_every_change_is_refused_in_one_line(
    tiny_config: Config, data: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    runs.create(data, tiny_config, "one")
    before = sorted(data.rglob("*"))
    monkeypatch.setenv(jobs.READ_ONLY, value)
    assert jobs.is_read_only()
    for change in (
        lambda: jobs.start(data, tiny_config),
        lambda: jobs.resume(data, "one"),
        lambda: jobs.retry(data, "one"),
        lambda: jobs.cancel(data, "one"),
        lambda: jobs.extend(data, "one", {"flip_rates": [0.1]}),
        lambda: jobs.delete(data, "one"),
        lambda: jobs.import_uploads(data, [("scores.csv", b"prompt_id\n")]),
    ):
        with pytest.raises(ReadOnly, match=r"^[^\n]*RIGHTTREE_READ_ONLY is set[^\n]*$"):
            change()
    assert sorted(data.rglob("*")) == before
    assert [run.run_id for run in jobs.list_runs(data)] == ["one"]


@pytest.mark.parametrize("value", ["0", ""])
def test_not_read_only(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(jobs.READ_ONLY, value)
    assert not jobs.is_read_only()


def test_a_run_that_nobody_works_on_cannot_be_cancelled(tiny_config: Config, data: Path) -> None:
    runs.create(data, tiny_config, "one")
    with pytest.raises(PipelineError, match="it is interrupted"):
        jobs.cancel(data, "one")


def test_without_changes_a_profile_is_itself() -> None:
    for profile in jobs.profiles():
        own = jobs.profile_settings(profile)
        assert jobs.configured(profile, vars(own)) == load_profile(profile)


def test_changed_settings_are_those_of_the_config() -> None:
    changed = jobs.configured(
        "quick", {"seed": 3, "rl_test_samples": 8, "ppo_steps": 20, "categories": ["Safety"], "flip_rates": _RATES}
    )
    assert changed.seed == 3
    assert changed.best_of_n == (1, 2, 4, 8)
    assert changed.prompts.categories == ("Safety",)
    assert changed.reward_models.flip_rates == (0.0, 0.2, 0.4)
    assert changed.ppo is not None
    assert (changed.ppo.steps, changed.ppo.checkpoints) == (20, (3, 6, 20))
    assert jobs.configured("quick", {"ppo_steps": 0}).ppo is None


def test_reward_models_that_need_a_removed_category_or_rate_are_left_out_wherever_they_are_listed() -> None:
    whole, changed = load_profile("quick"), jobs.configured("quick", {"categories": ["Safety"]})
    assert set(whole.reward_models.ids) - set(changed.reward_models.ids) == {"only-reasoning"}
    assert changed.ppo is not None
    assert whole.ppo is not None
    assert changed.ppo.reward_models == tuple(name for name in whole.ppo.reward_models if name != "only-reasoning")
    rates = jobs.configured("quick", {"flip_rates": [0.0, 0.4]})  # the ensemble has flip-0.20 as a member
    assert set(whole.reward_models.ids) - set(rates.reward_models.ids) == {
        "flip-0.10",
        "flip-0.20",
        "flip-0.30",
        "ensemble-3",
    }
    assert rates.ppo is not None
    assert rates.ppo.reward_models == ("flip-0.00", "flip-0.40", "length-0.50", "only-reasoning")


def test_other_steps_keep_the_checkpoints_of_every_algorithm_but_for_those_with_steps_of_their_own() -> None:
    each = {"rloo": {"checkpoints": [2, 5, 10], "repeats": 2}, "sft": {"steps": 3, "checkpoints": [1, 3]}}
    ppo = PPOSettings.model_validate({"algorithms": ["ppo", "rloo", "sft"], "each": each})
    changed = PPOSettings.model_validate(with_steps(ppo.model_dump(mode="json"), 7))
    assert (changed.steps, changed.checkpoints) == (7, (5, 7))
    assert (changed.of("rloo").steps, changed.of("rloo").checkpoints) == (7, (2, 5, 7))
    assert changed.of("rloo").repeats == 2
    assert (changed.of("sft").steps, changed.of("sft").checkpoints) == (3, (1, 3))


_RATES = ["0", " 0.2", "0.4"]


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("seed", -1, "greater than or equal to 0; got -1"),
        ("seed", "1; rm -rf /", "valid integer.*got '1; rm -rf /'"),
        ("rl_test_samples", 1, "greater than or equal to 2; got 1"),
        ("ppo_steps", -4, "greater than or equal to 1; got -4"),
        ("ppo_steps", "many", "valid integer.*got 'many'"),
        ("flip_rates", ["0.1"], "give at least 2"),
        ("flip_rates", ["0.1", "0.1"], "two values differ by less than 0.01"),
        ("flip_rates", ["0.1", "half"], "valid number.*got 'half'"),
        ("flip_rates", ["0.1", "1"], "less than 1; got '?1"),
        ("categories", [], "give at least 1"),
        ("categories", ["Poetry"], "some of"),
        ("categories", "Safety", "valid tuple"),
        ("threads", 4, "no such setting"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(setting: str, value: object, message: str) -> None:
    with pytest.raises(InvalidSetting, match=message) as raised:
        jobs.configured("recorded", {setting: value})
    assert raised.value.setting == setting
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("profile", ["gone", "../profiles/quick.toml", "/etc/passwd"])
def test_a_profile_is_one_of_the_package(profile: str) -> None:
    for asked in (jobs.profile_about, jobs.profile_settings, lambda name: jobs.configured(name, {})):
        with pytest.raises(InvalidSetting, match="does not exist"):
            asked(profile)


def test_every_profile_says_what_it_is_for() -> None:
    assert all(jobs.profile_about(profile).endswith(".") for profile in jobs.profiles())


def test_runs_are_watched_until_interrupted(tiny_config: Config, data: Path) -> None:
    with runs.create(data, tiny_config, "first").working():
        second = jobs.start(data, tiny_config)
        watch = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "runs", "--watch"],
            env={**os.environ, "RIGHTTREE_HOME": str(data)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert watch.stdout is not None
        shown = watch.stdout.readline()
        jobs.cancel(data, second)
        later = ""
        while "interrupted" not in later:
            later = watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        assert watch.wait(10) == 130
    assert shown.split()[:2] == [second, "waiting"]
    assert shown.rstrip().endswith("waits for first")
    assert later.split()[:2] == [second, "interrupted"]
