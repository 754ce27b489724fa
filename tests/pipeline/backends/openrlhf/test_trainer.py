"""A trainer's process is heard line by line, and ends with whoever started it, whatever ends that."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.backends.openrlhf.trainer import Hung, train

# starts a process in a session of its own, as a daemon does, whose parent is gone at once
_WITH_DAEMON = """
import subprocess, sys, time
code = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'], "
code += "start_new_session=True, stdout=subprocess.DEVNULL).pid, flush=True)"
subprocess.run([sys.executable, "-c", code])
print("ready", flush=True)
time.sleep(SECONDS)
"""
_DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(300)"
)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(process: int, limit_s: float = 20.0) -> bool:
    deadline = time.monotonic() + limit_s
    while is_alive(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(process)


def test_every_line_is_heard_and_logged_and_the_exit_code_is_the_command_s(tmp_path: Path) -> None:
    heard: list[str] = []
    log = tmp_path / "logs" / "one.log"
    code = "import sys; print('one'); print('1%\\r2%\\r', end=''); sys.stderr.write('broken \\xff'); sys.exit(3)"
    assert train(python(code), log, 20.0, heard.append) == 3
    assert sorted(line for line in heard if line) == ["1%", "2%", "broken ÿ", "one"]
    train(python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), log, 20.0, heard.append)
    assert b"one\n" in log.read_bytes()
    assert train(python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), log, 20.0, heard.append) == 139


def test_arguments_and_environment_arrive_as_they_are(tmp_path: Path) -> None:
    heard: list[str] = []
    code = "import os, sys; print(sys.argv[1:], os.environ['OURS'], sys.stdin.read() == '')"
    train(
        [*python(code), "$HOME; echo `id`", "--x=a b"], tmp_path / "log", 20.0, heard.append, environment={"OURS": "1"}
    )
    assert heard == ["['$HOME; echo `id`', '--x=a b'] 1 True"]


def test_a_program_that_is_not_there_says_so(tmp_path: Path) -> None:
    heard: list[str] = []
    assert train([str(tmp_path / "none")], tmp_path / "log", 20.0, heard.append) == 127
    assert heard == [f"{tmp_path / 'none'}: No such file or directory"]


def test_one_that_is_silent_for_too_long_is_ended_with_all_it_has_started(tmp_path: Path) -> None:
    heard: list[str] = []
    begun = time.monotonic()
    with pytest.raises(Hung, match="printed nothing for"):
        train(python(_WITH_DAEMON.replace("SECONDS", "300")), tmp_path / "log", 1.0, heard.append)
    assert time.monotonic() - begun < 30
    assert heard[1] == "ready"
    assert gone(int(heard[0]))


def test_what_it_leaves_behind_is_ended_when_it_ends(tmp_path: Path) -> None:
    heard: list[str] = []
    assert train(python(_WITH_DAEMON.replace("SECONDS", "0")), tmp_path / "log", 20.0, heard.append) == 0
    assert gone(int(heard[0]))


def test_an_error_of_the_listener_ends_it(tmp_path: Path) -> None:
    def refuse(line: str) -> None:
        raise ValueError(line)

    begun = time.monotonic()
    with pytest.raises(ValueError, match="ready"):
        train(python("import time; print('ready', flush=True); time.sleep(300)"), tmp_path / "log", 60.0, refuse)
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda number: number.name)
def test_it_ends_with_the_process_that_started_it(tmp_path: Path, number: signal.Signals) -> None:
    """Killed, the pipeline can end nothing itself."""
    code = f"""
from pathlib import Path
from pipeline.backends.openrlhf.trainer import train
train({python(_WITH_DAEMON.replace("SECONDS", "300"))!r}, Path({str(tmp_path / "log")!r}), 60.0, lambda line: None)
"""
    process = subprocess.Popen(python(code), stderr=subprocess.DEVNULL)
    log = tmp_path / "log"
    deadline = time.monotonic() + 30
    while not (log.exists() and b"ready" in log.read_bytes()) and time.monotonic() < deadline:
        time.sleep(0.05)
    daemon = int(log.read_bytes().split()[0])
    assert is_alive(daemon)
    process.send_signal(number)
    process.wait()
    assert gone(daemon)


def test_one_that_does_not_listen_is_killed_and_what_stops_its_work_elsewhere_is_run(tmp_path: Path) -> None:
    def enough(line: str) -> None:
        raise KeyboardInterrupt

    stopped = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        train(
            python(_DEAF),
            tmp_path / "log",
            60.0,
            enough,
            at_end=python(f"from pathlib import Path; Path({str(stopped)!r}).touch()"),
        )
    assert stopped.exists()
    stopped.unlink()
    train(python("pass"), tmp_path / "log", 60.0, enough, at_end=python(f"open({str(stopped)!r}, 'w')"))
    assert not stopped.exists()  # it ended by itself: there is nothing to stop
