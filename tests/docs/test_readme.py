"""What the README tells a reader to type is run, and what it links to is there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from threading import Timer

import polars as pl
import pytest

from pipeline.__main__ import main
from pipeline.runs import exchange
from tests import conftest
from tests.browser import serving
from tests.conftest import TINY_RUN
from tests.pipeline.data_sets import hub
from tests.pipeline.reward_models_elsewhere import checkpoint
from warehouse import reads, store

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()

BLOCKS = "".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
COMMANDS = [shlex.split(line, comments=True)[1:] for line in re.findall(r"^righttree .*$", BLOCKS, re.MULTILINE)]
WITHOUT_END = ["runs", "--watch"]
RUN_BY: dict[tuple[str, ...], Callable[..., object]] = {
    ("run", "--profile", "quick"): conftest.quick_home,
    ("run", "--profile", "smoke"): conftest.smoke_home,
    ("app", "--port", "8501"): serving.served,
}
"""What takes minutes, or has no end, and is run all the same: by what other tests stand on."""
ON_RECORDED = {"audit", "choose", "measure", "predict", "report", "power", "findings", "export", "outcomes", "ensemble"}
ON_RECORDED |= {"restore"}


@pytest.fixture(scope="module")
def desk(tiny_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a reader may have it: a run of one's own, the recorded one, and the files that the README names."""
    desk = tmp_path_factory.mktemp("desk")
    shutil.copytree(tiny_home, desk / "own", symlinks=True)
    exchange.publish_recorded(desk / "recorded")
    checkpoint(desk / "FOLDER")
    (desk / "hh-rlhf").mkdir()
    hub.jsonl(desk / "hh-rlhf" / "train.jsonl", hub.HH_RLHF)
    hub.parquet(desk / "nectar.parquet", hub.NECTAR)
    with store.open_read_only(tiny_home) as connection:
        scores = connection.execute(
            "SELECT prompt_id, response_id, reward_model_id AS reward_model, score, split, "
            "prompt.text AS prompt, response.text AS response FROM score "
            "JOIN response USING (run_id, response_id) JOIN prompt USING (run_id, prompt_id) "
            "WHERE policy_id = 'initial' AND prompt_form = 'original'"
        ).pl()
    scores.write_parquet(desk / "scores.parquet")
    rates = [f"flip-{rate}" for rate in ("0.00", "0.10", "0.20", "0.30", "0.40")]
    elo = pl.DataFrame({"reward_model": rates, "outcome": "elo", "value": [1100, 1080, 1090, 1020, 1000]})
    elo.write_csv(desk / "elo.csv")
    return desk


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_command_works(
    desk: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the README's order, in one folder: what one command leaves is there for the next."""
    if tuple(arguments) in RUN_BY:
        pytest.skip(f"run by {RUN_BY[tuple(arguments)].__name__}")
    monkeypatch.chdir(desk)
    monkeypatch.setenv("RIGHTTREE_HOME", str(desk / ("recorded" if arguments[0] in ON_RECORDED else "own")))
    arguments = [TINY_RUN if argument == "RUN" else argument for argument in arguments]
    if arguments == WITHOUT_END:
        command = [sys.executable, "-m", "pipeline", *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
            end = Timer(120, watching.kill)
            end.start()
            assert watching.stdout is not None
            lists = (line for line in watching.stdout if line.startswith(f"{TINY_RUN}  published"))
            assert len(list(islice(lists, 2))) == 2
            end.cancel()
            watching.kill()
        return
    assert main(arguments) == 0, capsys.readouterr().err


def test_they_leave_what_they_say(desk: Path) -> None:
    assert pl.read_csv(desk / "measures.csv").height > 5
    assert (desk / "findings.md").read_text().startswith("# What the run")
    assert pl.read_parquet(desk / "pairs.parquet").height > 0
    assert (desk / "exported" / "score.parquet").exists()
    with store.open_read_only(desk / "own") as connection:
        runs = reads.runs.all_runs(connection)["run_id"].to_list()
        models = [set(reads.runs.reward_models(connection, run)["reward_model_id"]) for run in runs]
    assert TINY_RUN not in runs  # deleted
    assert len(runs) == 3  # extended, joined by a reward model, imported
    assert any("flip-0.15" in names for names in models)
    assert any("FOLDER" in names for names in models)


@pytest.mark.parametrize("target", re.findall(r"^make ([\w-]+)", README, re.MULTILINE))
def test_every_make_target_is_there(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)]+)\)", README))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
