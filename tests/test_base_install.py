"""The base install, without torch: what it does, and how it refuses what needs the extra `pipeline`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from pipeline.models.installed import PIPELINE_PACKAGES
from tests.base_environment import assert_serves_the_dashboard, base_python, base_requirements

EXTRA = "pip install 'righttree[pipeline]'"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the base install alone."""
    return base_python(tmp_path_factory.mktemp("base") / "environment")


SCORES = "reward_model,prompt_id,response_id,score\n" + "".join(
    f"rm-{m},prompt-{p},response-{p}-{r},{(m + 2) * p % 7 + r * (m - 1.5)}\n"
    for m in range(3)
    for p in range(4)
    for r in range(3)
)


@pytest.fixture(scope="module")
def home(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the recorded run, imported by the base install."""
    data = tmp_path_factory.mktemp("base-home")
    done = righttree(python, data, "import", str(Path("warehouse/recorded").absolute()))
    assert done.returncode == 0, done.stderr
    return data


def environment(home: Path) -> dict[str, str]:
    dropped = ("PYTHONPATH", "RIGHTTREE_READ_ONLY")
    return {name: value for name, value in os.environ.items() if name not in dropped} | {"RIGHTTREE_HOME": str(home)}


def righttree(python: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-P", "-m", "pipeline", *arguments]
    return subprocess.run(command, env=environment(home), capture_output=True, text=True, check=False, timeout=120)


def test_the_base_install_declares_and_has_nothing_of_the_pipeline_s(python: Path, tmp_path: Path) -> None:
    assert {requirement.name for requirement in base_requirements()} & {*PIPELINE_PACKAGES} == set()
    code = f"from importlib.util import find_spec; print([find_spec(name) for name in {PIPELINE_PACKAGES}])"
    done = subprocess.run([python, "-c", code], env=environment(tmp_path), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([None] * len(PIPELINE_PACKAGES))


def test_it_imports_scores_made_elsewhere(python: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.csv"
    scores.write_text(SCORES)
    done = righttree(python, tmp_path / "data", "import", str(scores), "--run-id", "mine")
    assert done.returncode == 0, done.stderr
    assert "3 reward models" in done.stdout


def test_it_measures_an_imported_run_and_writes_its_findings(python: Path, tmp_path: Path) -> None:
    scores, data, page = tmp_path / "scores.csv", tmp_path / "data", tmp_path / "findings.md"
    scores.write_text(SCORES)
    assert righttree(python, data, "import", str(scores), "--run-id", "mine").returncode == 0
    measured = righttree(python, data, "measure", "--run", "mine", "--replicates", "20", "--json")
    assert measured.returncode == 0, measured.stderr
    assert json.loads(measured.stdout)["run"] == "mine"
    done = righttree(python, data, "findings", "--replicates", "20", "--output", str(page))
    assert done.returncode == 0, done.stderr
    assert "mine" in page.read_text()


def test_it_exports_a_run_says_what_a_run_would_take_and_plans_one(python: Path, home: Path, tmp_path: Path) -> None:
    assert righttree(python, home, "export", str(tmp_path / "exported")).returncode == 0
    for arguments in (["--profile", "smoke", "--estimate"], ["--profile", "quick", "--plan"]):
        done = righttree(python, home, "run", *arguments)
        assert done.returncode == 0, done.stderr


def test_its_notebook_interface_opens_the_recorded_run(python: Path, home: Path, tmp_path: Path) -> None:
    code = "import righttree as rt; print(rt.evaluate(rt.open(), replicates=20))"
    done = subprocess.run(
        [python, "-P", "-c", code], env=environment(home), capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


NEEDS_THE_PIPELINE = (
    "run --profile smoke",
    "run --profile smoke --detach",
    "resume",
    "resume --retry",
    "add-rm --run recorded --model .",
    "score --run recorded --model . --name mine",
    "app --run smoke",
)


def test_what_needs_the_pipeline_is_refused_in_one_line_that_names_the_extra(python: Path, home: Path) -> None:
    code = (
        "import contextlib, io, json, sys; from pipeline.__main__ import main\n"
        "for line in sys.argv[1:]:\n"
        "    said = io.StringIO()\n"
        "    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):\n"
        "        code = main(line.split())\n"
        "    print(json.dumps([line, code, said.getvalue()]))\n"
    )
    command = [str(python), "-P", "-c", code, *NEEDS_THE_PIPELINE]
    done = subprocess.run(command, env=environment(home), capture_output=True, text=True, check=False, timeout=120)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line for line, _, _ in answers] == [*NEEDS_THE_PIPELINE], done.stderr
    assert [line for line, code, said in answers if code != 2 or said.count("\n") != 1 or EXTRA not in said] == []
    assert {path.name for path in (home / "runs").iterdir() if path.name[0] != "."} == {"recorded"}  # imported above


def test_a_job_of_the_dashboard_is_refused_in_the_same_line(python: Path, home: Path) -> None:
    code = (
        "from pathlib import Path; from pipeline.runs import jobs\n"
        f"data = Path({str(home)!r})\n"
        "calls = [lambda: jobs.start(data, jobs.configured('smoke', {}))]\n"
        "for call in calls:\n"
        "    try:\n"
        "        call()\n"
        "    except jobs.PipelineError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run([python, "-P", "-c", code], env=environment(home), capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 1
    assert all(EXTRA in line for line in lines)


def test_doctor_names_what_is_missing_and_the_extra(python: Path, home: Path) -> None:
    done = righttree(python, home, "doctor")
    assert done.returncode == 1
    assert "MISSING torch: not installed" in done.stdout
    assert EXTRA in done.stdout
    assert "ok      streamlit" in done.stdout


def test_the_dashboard_starts_and_is_well(python: Path, home: Path, tmp_path: Path) -> None:
    command = [str(python), "-P", "-m", "pipeline", "app"]
    assert_serves_the_dashboard(command, tmp_path / "log", env=environment(home))
