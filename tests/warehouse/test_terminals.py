"""Foreign text cannot steer the terminal of whoever reads what a command prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import righttree
from warehouse.terminals import on_one_line, visible

STEERING = ("\x1b[2J", "\x07", "\b\b", "\x9b31m", "\u202e", "\u2066", "\u200f", "\u2028", "\ud800", "\x00", "\r")


@pytest.mark.parametrize("code", STEERING, ids=ascii)
def test_a_code_is_shown_instead_of_obeyed(code: str) -> None:
    assert visible(f"a{code}b") == "a" + "".join(ascii(sign)[1:-1] for sign in code) + "b"
    assert visible(f"a{code}b").isprintable()


@pytest.mark.parametrize("text", ["τ = 0.65 [0.5, 0.8]\n\tindented", "שלום", "مرحبا", "👩‍🔬 naïve e\u0301", "“quoted”"])
def test_every_language_and_line_stays(text: str) -> None:
    assert visible(text) == text


def test_line_breaks_in_names_make_no_lines_of_their_own() -> None:
    assert on_one_line({"a\nb": ["x\ny", 1, None, {"c": "\t\x1b"}]}) == {r"a\nb": [r"x\ny", 1, None, {"c": r"\t\x1b"}]}


HOSTILE = "rm\x1b]0;owned\x07\u202egolden\nrighttree: all figures are verified"
SCORES = "reward_model,prompt_id,response_id,score\n" + "".join(
    f'"{name}",prompt-{p},response-{p}-{r},{(m + 2) * p % 7 + r * (m - 1.5)}\n'
    for m, name in enumerate((HOSTILE, "rm-1", "rm-2", "rm-3"))
    for p in range(6)
    for r in range(4)
)


@pytest.mark.parametrize(
    "command",
    [
        ["measure", "--replicates", "20"],
        ["measure", "--measure", "all", "--replicates", "20"],
        ["audit", "--replicates", "20"],
        ["choose"],
        ["power"],
        ["predict", HOSTILE],
        ["predict", HOSTILE + "?"],
        ["measure", "--golden", "\x1b[31mnobody\nrighttree: all figures are verified"],
        ["\x1b[31m"],
    ],
    ids=lambda command: ascii(" ".join(command))[:30],
)
def test_no_command_prints_a_name_as_it_is(hostile_home: Path, command: list[str]) -> None:
    done = righttree(*command, home=hostile_home)
    for text in (done.stdout, done.stderr):
        assert text.replace("\n", "").replace("\t", "").isprintable(), ascii(text)
        assert "\nrighttree: all figures" not in text
        assert not text.startswith("righttree: all figures")
    assert done.stdout or done.stderr


@pytest.fixture(scope="module")
def hostile_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an import whose reward model has a name that steers terminals and adds a line."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "scores.csv").write_text(SCORES)
    done = righttree("import", str(folder / "scores.csv"), home=folder / "home")
    assert done.returncode == 0, done.stderr
    return folder / "home"
