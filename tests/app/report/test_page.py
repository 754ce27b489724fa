"""The report card as a file: complete in itself, safe with foreign text, and with the figures of its data."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest

from app.charts import report as charts
from app.report import figures, page, text
from tests.app.report.test_card import card_in
from tests.helpers import benchmark_study
from tests.helpers.benchmark_study import Benchmark
from warehouse import ingest, store
from warehouse.formats import MINUS

HOSTILE = "</script><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>\"'&\x01"
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Elements(HTMLParser):
    """The elements of a page with their attributes, and whether every one is closed in its place."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.said: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.said.append(data)


def write(home: Path, name: str, *goldens: str) -> str:
    with store.open_read_only(home) as connection:
        return page.write(connection, None, name, goldens)


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    size = Benchmark(reward_models=5, prompts=60, most=6)
    return write(benchmark_study.publish(tmp_path_factory.mktemp("report"), size), "rm-03")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a run in which every name and text is an attack."""
    home, rows = tmp_path_factory.mktemp("hostile"), benchmark_study.rows(Benchmark(reward_models=4, prompts=30))
    attack = pl.lit(HOSTILE)

    def attacked(table: str, *columns: str) -> pl.DataFrame:
        return rows[table].with_columns(pl.concat_str(attack, pl.col(name)).alias(name) for name in columns)

    prompts = rows["prompt"].with_columns(text=attack, category=attack, subset=pl.concat_str(attack, "subset"))
    renamed = {
        name: attacked(name, column)
        for name, column in {"reward_model": "reward_model_id", "policy_value": "golden_id"}.items()
    }
    scores, policies = attacked("score", "reward_model_id"), attacked("policy", "reward_model_id")
    others = {"prompt": prompts, "response": rows["response"].with_columns(text=attack), "score": scores}
    ingest.publish(home, {**rows, **others, **renamed, "policy": policies}, "benchmark")
    return write(home, f"{HOSTILE}rm-03")


@pytest.mark.parametrize("which", ["html", "hostile"])
def test_the_file_asks_for_nothing_from_outside_and_runs_nothing(which: str, request: pytest.FixtureRequest) -> None:
    elements = Elements(request.getfixturevalue(which))
    assert elements.open == []
    scripts = [attributes for tag, attributes in elements.all if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "righttree-report"}]
    tags = {tag for tag, _ in elements.all}
    assert not tags & {"link", "img", "iframe", "object", "embed", "base", "form", "image", "use", "foreignobject", "a"}
    for tag, attributes in elements.all:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in ("src", "href", "xlink:href", "srcset", "action", "data"), (tag, name)
            assert not re.search(r"url\((?!#)", value or ""), (tag, name, value)
    policies = [attributes["content"] for tag, attributes in elements.all if "http-equiv" in attributes]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    styles = re.findall(r"<style>(.*?)</style>", request.getfixturevalue(which), re.DOTALL)
    assert len(styles) == 1
    assert not re.search(r"url\(|@import", styles[0])


def test_hostile_names_and_texts_are_shown_letter_by_letter(hostile: str) -> None:
    shown = HOSTILE.replace("\x01", "\N{REPLACEMENT CHARACTER}")
    said = "".join(Elements(hostile).said)
    assert f"{shown}rm-03" in said
    assert said.count(shown) > 20
    card = card_in(hostile)
    assert card["reward_model"]["name"] == f"{HOSTILE}rm-03"
    assert card["failures"]["worst"][0]["text"] == HOSTILE
    assert "<" not in hostile.split('id="righttree-report">')[1].split("</script>")[0]


def test_every_figure_is_a_vector_graphic_for_light_and_for_dark_with_ids_of_its_own(html: str) -> None:
    drawn = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(drawn) == 2 * len(figures.figures(card_in(html)))
    assert len(drawn) >= 10
    ids: list[str] = []
    for svg in drawn:
        root = ElementTree.fromstring(svg)
        own = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
        ids += own
        assert root.attrib["role"] == "img"
        assert root.attrib["aria-label"]
        assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= set(own)
    assert len(ids) == len(set(ids))
    assert html.count('<div class="light">') == html.count('<div class="dark">') == len(drawn) // 2


def test_sentences_and_tables_have_the_figures_of_the_data(html: str) -> None:
    card, said = card_in(html), " ".join(Elements(html).said)
    best, accuracy = card["best_of_n"], card["accuracy"]
    assert f"Best-of-{best['n']} by rm-03 gets {100 * best['value']:.1f}% ({100 * best['low']:.1f}% to" in said
    assert f"{accuracy['value']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f})" in said
    assert f"{best['fewer_samples']} of 60" in said
    for row in (*best["ranking"], *best["categories"]):
        figure = f"{100 * row['value']:.1f}% ({100 * row['low']:.1f}% to {100 * row['high']:.1f}%)"
        assert figure.replace("-", MINUS) in said
    for row in (*accuracy["categories"], *accuracy["subsets"], *card["agreement"]):
        assert text.with_interval(row) in said
    for row in card["undefined"]:
        assert row["why"] in said
    for row in card["failures"]["worst"]:
        assert row["text"] in said
    assert "The same 60 prompts on both sides" in said
    assert "the rank is among 5 reward models" in said.lower()


def test_the_command_in_the_file_writes_the_same_card_again(html: str, tmp_path: Path) -> None:
    home = benchmark_study.publish(tmp_path, Benchmark(reward_models=5, prompts=60, most=6))
    first, again = card_in(html), card_in(write(home, "rm-03"))
    assert first["provenance"].pop("command") == "righttree report rm-03 --run benchmark"
    again["provenance"].pop("command")
    for card in (first, again):
        card["provenance"].pop("written_at")
    assert again == first
    assert set(first["provenance"]["packages"]) >= {"righttree", "numpy", "duckdb"}
    assert first["provenance"]["run"]["finished_at"] == "2026-01-02T00:00:00+00:00"


def test_a_card_with_nothing_but_a_name_is_still_a_page(html: str) -> None:
    card: dict[str, Any] = card_in(html)
    nothing = ("accuracy", "scores", "length", "agreement", "calibration", "benchmarks", "best_of_n", "failures")
    bare = {**card, **dict.fromkeys(nothing), "optimizers": [], "predicted": []}
    written = page.html(bare)
    assert "rm-03 has no figure in this run" in written
    assert "<svg" not in written
    assert Elements(written).open == []


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("lab-c/rm 10", "report-lab-c-rm-10.html"),
        ("../../etc", "report-etc.html"),
        ("評価", "report-reward-model.html"),
        ("a" * 200, f"report-{'a' * 80}.html"),
    ],
)
def test_the_name_of_the_file_is_one_that_every_disk_takes(name: str, file: str) -> None:
    assert page.file_name(name) == file


@pytest.mark.parametrize(
    ("rank", "words"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")]
)
def test_ordinals(rank: int, words: str) -> None:
    assert text.ordinal(rank) == words


def test_its_own_charts_are_valid() -> None:
    rows = pl.DataFrame({"part": ["a", "b"], "value": [0.5, None], "low": [0.4, None], "high": [0.6, None]})
    assert charts.forest(rows, "Accuracy", references=[0.5]).to_dict()
    bins = pl.DataFrame({"least": [-1.0, 0.0], "greatest": [0.0, 1.0], "share": [0.4, 0.6]})
    assert charts.histogram(bins).to_dict()
