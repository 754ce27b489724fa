"""`righttree findings`: the page is whole, the same each time, and says in one line what is wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.runs import exchange
from tests.conftest import SMOKE_RUN, righttree
from tests.helpers.study import Study, publish
from warehouse.claims import CLAIMS

WHOLE = Study(
    run_id="a|run*", reward_models=5, ppo_steps=(5, 10, 20), penalties=(0.1,), paraphrases=True, sources=("other|*",)
)
VERDICTS = ("holds", "refuted", "cannot be told at this size", "undefined", "not in this run")


def page(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["findings", "--replicates", "40", *arguments]) == 0
    return capsys.readouterr().out


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("RIGHTTREE_HOME", str(folder))
    return folder


def test_the_page_has_every_claim_with_a_verdict_and_says_what_it_is_of(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(home, WHOLE)
    text = page(capsys)
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert len(sections) == len(CLAIMS)
    for place, section in enumerate(sections, 1):
        assert section.startswith(f"{place}. ")
        assert any(f"**{verdict}**" in section.replace("Not in", "not in") for verdict in VERDICTS)
    assert "profile simulated" in text
    assert "5 reward models: 5 flip" in text
    assert "B = 40, seed 0" in text
    assert "best-of-8 and PPO at step 20" in text
    assert not re.search(r"\bnan\b|\binf\b|None", text)


def test_the_page_says_how_many_rulings_hold_and_how_many_would_by_chance(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(home, WHOLE)
    text = page(capsys)
    decided = re.findall(r"^\| \[.*\*\*(.+)\*\* \|$", text, re.MULTILINE)
    rulings = [verdict for verdict in decided if verdict not in ("undefined", "not in this run")]
    assert len(rulings) > 10
    hold, refuted, open_still = map(rulings.count, ("holds", "refuted", "cannot be told at this size"))
    assert hold + refuted + open_still == len(rulings)
    counted = f"{hold} hold, {refuted} are refuted, {open_still} cannot be told at this size. By chance"
    assert f"\n- Rulings: {len(rulings)}. {counted}" in text
    assert f"By chance {len(rulings)} × 2.5 % = {0.025 * len(rulings):.1f} would hold if nothing were true" in text
    assert f"(if all claims held in either direction: {len(rulings)} × 5 % = {0.05 * len(rulings):.1f})" in text


def test_the_page_says_what_intervals_are_and_what_to_beware_of(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(home, WHOLE)
    text = page(capsys)
    assert "A correlation is about *this test set*" in text
    assert "\n- Intervals are rough: 5 reward models, fewer than 10, say little about others\n" in text
    assert "on both sides: correlations" not in text


def test_every_row_of_the_first_table_leads_to_its_section(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(home, WHOLE)
    text = page(capsys)
    links = re.findall(r"^\| \[\d+\. [^|]*\]\(#([\w-]+)\) \|", text, re.MULTILINE)
    anchors = re.findall(r'<a id="([\w-]+)"></a>', text)
    assert list(dict.fromkeys(links)) == anchors
    assert len(set(anchors)) == len(CLAIMS)
    rows = [line for line in text.splitlines() if line.startswith("| [")]
    assert all(re.search(rf"\*\*({'|'.join(VERDICTS)})\*\* \|$", row) for row in rows)


def test_rows_have_a_cell_per_column_and_markdown_in_names_is_escaped(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(home, WHOLE)
    text = page(capsys)
    assert text.startswith("# What the run a\\|run\\* says")
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(cells) == 1, table


def test_the_same_run_and_seed_give_the_same_page_and_another_seed_another(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(home, WHOLE)
    assert page(capsys) == page(capsys)
    assert page(capsys) != page(capsys, "--seed", "1")


def test_a_run_without_ppo_paraphrases_and_sweep_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(home, Study())
    text = page(capsys)
    for missing in (
        "not have best-of-n and policies that were trained",
        "have paraphrases",
        "one KL penalty",
        "of one kind",
        "gave two responses",
    ):
        assert missing in text


def test_a_run_in_which_nothing_is_defined_says_why(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(home, replace(WHOLE, constant=True, ppo_steps=(), penalties=()))
    text = page(capsys)
    assert "all 20 pairs are undefined" in text
    assert "**holds**" not in text.split("- **holds**")[0]


def test_the_page_goes_into_a_file_whole(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(home, Study())
    target = tmp_path / "findings.md"
    assert page(capsys, "--output", str(target)) == f"wrote the findings for simulated to {target}\n"
    assert target.read_text().replace(f" --output {target}`;", "`;") == page(capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["findings.md", "home"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--run", "nothing"), "righttree: run 'nothing' is not in the warehouse; it has ['simulated']"),
        (("--output", "nowhere/findings.md"), "righttree: --output nowhere/findings.md: there is no folder nowhere"),
        (("--replicates", "0"), "righttree: --replicates is 0; the bootstrap takes 1 or more, at most 100,000"),
        (("--seed", "-1"), "righttree: --seed is -1; it has to be 0 or more"),
    ],
)
def test_errors_are_one_line(
    home: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(home, Study())
    assert main(["findings", *arguments]) == 2
    caught = capsys.readouterr()
    assert caught.err.startswith(said)
    assert caught.err.count("\n") == 1
    assert caught.out == ""


def test_without_a_run_the_page_is_not_written(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exchange, "RECORDED", tmp_path / "none")  # or it would be published first
    assert main(["findings", "--output", str(tmp_path / "findings.md")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "findings.md").exists()


def test_a_real_run_is_examined_from_the_command_line(smoke_home: Path) -> None:
    done = righttree("findings", "--run", SMOKE_RUN, "--replicates", "60", home=smoke_home)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(re.findall(r"^## ", done.stdout, re.MULTILINE)) == len(CLAIMS)
    assert "1 depth, 3 flip" in done.stdout


def test_tilted_policies_are_examined_too_and_what_is_undefined_or_cut_off_is_said(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(home, Study(reward_models=5, prompts=6, samples=24, ppo_steps=(5, 10), tilted=True))
    text = page(capsys)
    (at,) = set(re.findall(r"tilted at λ = ([\d.]+):? loses more", text))
    assert f"best-of-16 and PPO at step 10 and tilted at λ = {at}" in text
    assert re.search(rf"- Tilted at λ = {re.escape(at)} is defined on \d+ of 24 RL-test prompts", text)
    assert f"- **Warning**: Tilted at λ = {at}: 50 % of the responses are cut off" in text
    assert not re.search(r"\bnan\b|\binf\b|None", text)
