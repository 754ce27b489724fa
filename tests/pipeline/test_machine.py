"""Threads that wait do not keep the cores busy: OpenMP itself says how it was told to wait."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_ASK = """
from pipeline.machine import sleep_while_waiting
sleep_while_waiting()
import torch
"""


@pytest.mark.parametrize(("already", "expected"), [(None, "PASSIVE"), ("active", "ACTIVE")])
def test_threads_sleep_unless_the_user_chose_otherwise(already: str | None, expected: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {"OMP_DISPLAY_ENV": "TRUE"} | ({"OMP_WAIT_POLICY": already} if already else {})
    done = subprocess.run([sys.executable, "-c", _ASK], env=environment, capture_output=True, text=True, check=True)
    said = [line for line in (done.stderr + done.stdout).splitlines() if "OMP_WAIT_POLICY" in line]
    assert said
    assert expected in said[0]
