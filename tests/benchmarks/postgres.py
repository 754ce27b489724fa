"""A PostgreSQL server of one's own in a temporary folder, reached by its socket alone, for as long as it is needed."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

MISSING = "no PostgreSQL found: `apt-get install postgresql`, or `pip install pgserver`"
_START_S = 60


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`: on the path, as Debian has it, or of the package pgserver."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    spec = find_spec("pgserver")
    if spec and spec.origin:
        folders.append(Path(spec.origin).parent / "pginstall" / "bin")
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@contextmanager
def server() -> Iterator[str]:
    """A running server; gives what a client connects with. Ends with SystemExit where there is no PostgreSQL.

    It is a child of this process, so that what it works is counted as this process's work.
    """
    programs = binaries()
    if programs is None:
        raise SystemExit(MISSING)
    folder = Path(tempfile.mkdtemp(prefix="righttree-pg-"))
    user = _user()
    if user:  # PostgreSQL refuses to run as root
        shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)
    data = folder / "data"
    try:
        made = [str(programs / "initdb"), "-D", str(data), "-U", "lake", "-A", "trust", "-E", "UTF8"]
        if code := subprocess.run(made, user=user, cwd=folder, stdout=subprocess.DEVNULL, check=False).returncode:
            raise SystemExit(f"{made[0]} failed with exit code {code}; what it said is above")
        options = ["-D", str(data), "-k", str(folder), "-c", "listen_addresses="]
        with (folder / "log").open("w") as log:
            running = subprocess.Popen([str(programs / "postgres"), *options], user=user, cwd=folder, stderr=log)
        try:
            _wait(running, data / "postmaster.pid", folder / "log")
            yield f"host={folder} user=lake dbname=postgres"
        finally:
            running.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown: clients are sent away
            running.wait()
    finally:
        shutil.rmtree(folder)


def _wait(running: subprocess.Popen[bytes], state: Path, log: Path) -> None:
    """Until the server takes connections, which it says in the last line of its state."""
    until = time.monotonic() + _START_S
    while not (state.exists() and state.read_text().rstrip().endswith("ready")):
        if running.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"PostgreSQL did not start: {(log.read_text().splitlines() or ['it said nothing'])[-1]}")
        time.sleep(0.05)


def _user() -> str | None:
    """Whom the server runs as; None: the present user."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)
