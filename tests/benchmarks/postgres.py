"""A PostgreSQL server of one's own in a temporary folder, reached by its socket alone, for as long as it is needed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

MISSING = "no PostgreSQL found: `apt-get install postgresql`, or `pip install pgserver`"


def binaries() -> Path | None:
    """The folder of `initdb` and `pg_ctl`: on the path, as Debian has it, or of the package pgserver."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    spec = find_spec("pgserver")
    if spec and spec.origin:
        folders.append(Path(spec.origin).parent / "pginstall" / "bin")
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@contextmanager
def server() -> Iterator[str]:
    """A running server; gives what a client connects with. Ends with SystemExit where there is no PostgreSQL."""
    programs = binaries()
    if programs is None:
        raise SystemExit(MISSING)
    folder = Path(tempfile.mkdtemp(prefix="righttree-pg-"))
    user = _user()
    if user:  # PostgreSQL refuses to run as root
        shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)

    def command(*words: str) -> None:
        done = subprocess.run(words, user=user, cwd=folder, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise SystemExit(f"{words[0]} failed with exit code {done.returncode}; what it said is above")

    data, control = str(folder / "data"), str(programs / "pg_ctl")
    try:
        command(str(programs / "initdb"), "-D", data, "-U", "lake", "-A", "trust", "-E", "UTF8")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder}"
        command(control, "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"host={folder} user=lake dbname=postgres"
        finally:
            command(control, "-D", data, "-w", "-m", "fast", "stop")
    finally:
        shutil.rmtree(folder)


def _user() -> str | None:
    """Whom the server runs as; None: the present user."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)
