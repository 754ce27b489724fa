"""The folders of reward models that the shared cases make: each is scored, or refused with the reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.models.embedded import provision
from tests.conftest import SMOKE_RUN

CASE = Path(__file__).parents[4] / "shared" / "cases" / "50-reward-model-folders"
pytestmark = pytest.mark.skipif(not CASE.is_dir(), reason=f"the shared cases are not here: {CASE}")

SCORED = {
    "ok": ([], "head score from the model's weights"),
    "openrlhf-score": ([], "head score from the model's weights"),
    "openrlhf-value-head": ([], "head value_head from the model's weights"),
    "llamafactory-valuehead": ([], "head v_head.summary from value_head.safetensors"),
    "five-attributes": (["--attribute", "4"], "5 outputs: 1 × 4"),
    "lora-adapter": ([], "head score from adapter_model.safetensors or its base"),
}
REFUSED = {
    "five-attributes": "has 5 outputs (0, 1, 2, 3, 4); choose one with --attribute",
    "pickle-bin": "pickles, which can run any code and are not loaded; if you trust them, convert them: python -c",
    "no-chat-template": "has no chat template",
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    provision()  # whose tokenizer the folders have
    target = tmp_path_factory.mktemp("case-folders")
    command = [sys.executable, str(CASE / "make_folders.py"), str(target)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return target


def test_every_folder_of_the_case_is_expected(folders: Path) -> None:
    assert {path.name for path in folders.iterdir()} == {*SCORED, *REFUSED}


@pytest.mark.parametrize("name", SCORED)
def test_a_folder_is_scored(
    name: str, folders: Path, smoke_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options, says = SCORED[name]
    monkeypatch.setenv("RIGHTTREE_HOME", str(smoke_home))
    command = ["add-rm", "--run", SMOKE_RUN, "--model", str(folders / name), "--estimate", *options]
    assert main(command) == 0
    assert says in capsys.readouterr().out


@pytest.mark.parametrize("name", REFUSED)
def test_a_folder_is_refused_with_the_reason_in_one_line(
    name: str, folders: Path, smoke_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(smoke_home))
    assert main(["add-rm", "--run", SMOKE_RUN, "--model", str(folders / name), "--estimate"]) == 2
    line = capsys.readouterr().err
    assert REFUSED[name] in line
    assert line.count("\n") == 1
