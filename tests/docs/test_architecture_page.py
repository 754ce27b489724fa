"""The additions that `docs/architecture.md` shows work as they stand there: applied to a copy of the code, and used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TINY_RUN

ROOT = Path(__file__).parents[2]
DIFFS = re.findall(r"```diff\n(.*?)```", (ROOT / "docs" / "architecture.md").read_text(), re.DOTALL)

_MEASURE = """
import numpy as np
from warehouse.study import MEASURES, ScoreCube, prepare
scores = np.random.default_rng(0).normal(size=(3, 40, 5)).astype(np.float32)
cube = ScoreCube(scores, ("a", "b", "c"), tuple(map(str, range(40))), ("Chat",) * 40, ("chat",) * 40)
values = prepare(cube, "top_one")
found = values.overall(np.ones((1, 40)), np.arange(40))[0][0][values.column_MM]
same = (scores[:, None].argmax(-1) == scores[None].argmax(-1)).mean(-1)
off = ~np.eye(3, dtype=bool)
assert np.allclose(found[off], same[off]) and "top_one" in MEASURES
"""
_PAGE = """
from streamlit.testing.v1 import AppTest
shown = AppTest.from_string("from app.views.prompts import page; page.show()", default_timeout=60).run()
assert not shown.exception and shown.title[0].value == "What was asked"
assert set(shown.dataframe[0].value["split"]) == {"rm_train", "rm_test", "rl_test"}
"""


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with all four additions."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed: the additions cannot be applied")
    copy = tmp_path_factory.mktemp("grown")
    for name in ("app", "pipeline", "warehouse"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    subprocess.run(["git", "init", "--quiet"], cwd=copy, check=True)
    for diff in DIFFS:
        subprocess.run(["git", "apply", "--unidiff-zero", "-"], input=diff, text=True, cwd=copy, check=True)
    return copy


def python(copy: Path, *arguments: str, home: Path) -> str:
    """What Python prints when it runs with the copy's code on a data folder."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "RIGHTTREE_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-P", *arguments], env=environment, cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_is_an_addition_of_each_kind() -> None:
    assert len(DIFFS) == 4


def test_a_measure_gives_what_a_plain_computation_gives(grown: Path, tmp_path: Path) -> None:
    python(grown, "-c", _MEASURE, home=tmp_path)


def test_a_construction_and_an_optimizer_are_used_on_a_real_run_and_a_page_shows_it(
    grown: Path, tmp_path: Path, tiny_home: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(tiny_home, home, symlinks=True)
    python(grown, "-m", "pipeline", "resume", TINY_RUN, home=home)
    python(grown, "-m", "pipeline", "publish", home=home)
    asked = ("-m", "pipeline", "measure", "--optimizer", "top", "--replicates", "50", "--json")
    whole, balanced = (json.loads(python(grown, *asked, *more, home=home)) for more in ((), ("--balanced",)))
    assert whole["strength"] == 4.0
    assert [pair["ndr"] for pair in whole["pairs"]] == [pair["ndr"] for pair in balanced["pairs"]]
    assert balanced["rm_test_prompts"] <= whole["rm_test_prompts"]
    python(grown, "-c", _PAGE, home=home)
