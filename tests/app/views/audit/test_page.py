"""The Audit page on runs of several kinds, and an imported test set with planted faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.__main__ import main
from tests.app.conftest import OpenPage
from tests.helpers import simulated
from tests.helpers.faulty import FaultySet, faulty_set

VIEW = "audit"


@pytest.fixture(scope="module")
def faulty() -> FaultySet:
    return faulty_set(12, each=40)


@pytest.fixture(scope="module")
def home(faulty: FaultySet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with that test set, imported; tests only read it."""
    home = tmp_path_factory.mktemp("audit-page")
    faulty.frame().write_parquet(home / "scores.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIGHTTREE_HOME", str(home))
        assert main(["import", str(home / "scores.parquet"), "--run-id", "faulty"]) == 0
    return home


def test_subsets_and_items_of_an_import_with_labels_are_shown(
    home: Path, faulty: FaultySet, open_view: OpenPage
) -> None:
    page = open_view(VIEW, home)
    assert not page.exception
    assert not page.warning
    assert [heading.value for heading in page.header] == [
        "Which subsets predict the policy?",
        "Which subsets tell reward models apart?",
        "How hard is each subset?",
        "Which items are faulty?",
    ]
    assert any("golden: label" in caption.value for caption in page.caption)
    text = "\n".join(line.value for line in page.markdown)
    assert "20 redundant" in text
    assert "**Oddities / easy** is saturated" in text
    (table,) = [frame.value for frame in page.dataframe if "because" in frame.value.columns]
    assert len(table) >= len(frozenset().union(*(faulty.faults[name] for name in ("redundant", "undefined"))))
    assert "all right" not in set(table["reasons"])


def test_a_reason_narrows_the_table_and_an_item_is_read_with_its_texts(
    home: Path, faulty: FaultySet, open_view: OpenPage
) -> None:
    p = min(faulty.faults["same responses"])
    page = open_view(VIEW, home, reason="same responses", item=f"item-{p:03d}")
    assert not page.exception
    (table,) = [frame.value for frame in page.dataframe if "because" in frame.value.columns]
    assert len(table) == 10
    shown = [block.value for block in page.text]
    assert faulty.prompts[p] in shown
    assert shown.count(faulty.responses[p][0]) == 2
    assert sum("golden 1.00" in caption.value for caption in page.caption) == 1
    page.pills(key="choose.reason").set_value(["redundant"]).run()
    assert not page.exception
    assert faulty.prompts[p] not in [block.value for block in page.text]


def test_foreign_text_is_shown_letter_by_letter(
    tmp_path: Path, open_view: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = faulty_set(7, each=20).frame()
    evil = "<b>**bold** $x$ [link](javascript:alert(1))</b>"
    frame = frame.with_columns(subset=frame["subset"].replace("plain", evil), response=frame["response"] + evil)
    frame.write_parquet(tmp_path / "scores.parquet")
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path))
    assert main(["import", str(tmp_path / "scores.parquet")]) == 0
    page = open_view(VIEW, tmp_path)
    names = page.selectbox(key="choose.item").options
    page.selectbox(key="choose.item").select_index(0).run()
    assert names
    assert not page.exception
    assert any(evil in block.value for block in page.text)
    markdown = [line.value for line in (*page.markdown, *page.caption)]
    assert not any("**bold**" in line or "<b>" in line for line in markdown)


def test_other_goldens_of_a_link_are_used(home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, home, goldens="rm-11")
    assert not page.exception
    assert any("golden: rm\\-11" in caption.value for caption in page.caption)
    assert open_view(VIEW, home, goldens="nobody").warning[0].value.startswith("Ignored: goldens=nobody")


def test_reward_models_judge_each_other_where_there_are_no_labels(simulated_home: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, simulated_home)
    assert not page.exception
    captions = [caption.value for caption in page.caption]
    assert any("each judged by all others as golden" in caption for caption in captions)
    assert any("fewer than 6" in caption for caption in captions)


def test_a_run_with_two_optimizers_offers_both(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, simulated.publish(tmp_path, optimizers=("bon", "ppo")), optimizer="ppo")
    assert not page.exception
    chosen = page.segmented_control(key="choose.optimizer")
    assert (chosen.options, chosen.value) == (["Best-of-n", "PPO"], "ppo")


def test_two_reward_models_are_no_failure(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, simulated.publish(tmp_path, M=2))
    assert not page.exception


def test_where_nothing_is_defined_it_says_so(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, simulated.publish(tmp_path, constant=True))
    assert not page.exception
    assert any("No subset has a correlation" in box.value for box in page.info)


def test_an_empty_data_folder_says_which_command_to_run(tmp_path: Path, open_view: OpenPage) -> None:
    page = open_view(VIEW, tmp_path)
    assert not page.exception
    assert "righttree run --profile quick" in [code.value for code in page.code]


def test_prompts_on_both_sides_are_said(
    tmp_path: Path, open_view: OpenPage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = faulty_set(7, each=20).frame().filter(split="rm_test").drop("split")
    frame.write_parquet(tmp_path / "scores.parquet")
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path))
    assert main(["import", str(tmp_path / "scores.parquet")]) == 0
    page = open_view(VIEW, tmp_path)
    assert not page.exception
    assert any("The same prompts on both sides" in caption.value for caption in page.caption)
    capsys.readouterr()
    assert main(["audit", "--replicates", "100"]) == 0
    assert "on both sides: correlations are cross-fitted" in capsys.readouterr().out
