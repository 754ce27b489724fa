"""Data sets in the schema that the hub serves: told by their columns, converted, their odd rows counted."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipeline.data_sets.gather import PAIRS, Rules, gather
from pipeline.data_sets.pairs import Reason
from pipeline.data_sets.recognise import reading_of
from pipeline.data_sets.report import COUNTS
from pipeline.data_sets.tables import tables
from tests.pipeline.data_sets import hub

FILES = {
    "nectar": hub.NECTAR,
    "ultrafeedback": hub.ULTRAFEEDBACK,
    "ultrafeedback-binarized": hub.ULTRAFEEDBACK_BINARIZED,
    "capybara": hub.CAPYBARA,
    "messages": [{key: row[key] for key in ("chosen", "rejected", "prompt")} for row in hub.CAPYBARA],
    "orca": hub.ORCA,
    "orca-argilla": hub.ORCA_ARGILLA,
    "pku-saferlhf": hub.SAFE_RLHF,
    "mt-bench-human": hub.MT_BENCH,
    "chatbot-arena": hub.CHATBOT_ARENA,
    "hh-rlhf": hub.HH_RLHF,
    "rewardbench": hub.REWARDBENCH,
    "rewardbench-2": hub.REWARDBENCH_2,
    "rm-bench": hub.RM_BENCH,
    "own": hub.OWN,
}
DROPPED: dict[str, dict[Reason, int]] = {
    "nectar": {Reason.TIE: 1, Reason.EMPTY: 2},
    "ultrafeedback": {Reason.UNRATED: 2},
    "ultrafeedback-binarized": {Reason.TIE: 1},
    "capybara": {Reason.IDENTICAL: 1, Reason.UNFINISHED: 1, Reason.TIE: 1},
    "messages": {Reason.IDENTICAL: 1, Reason.UNFINISHED: 1},
    "orca": {Reason.EMPTY: 1},
    "orca-argilla": {Reason.TIE: 1},
    "pku-saferlhf": {Reason.LABELS_DISAGREE: 1},
    "mt-bench-human": {Reason.DUPLICATE: 1, Reason.CONTRADICTION: 1, Reason.TIE: 1, Reason.PROMPTS_DIFFER: 1},
    "chatbot-arena": {Reason.TIE: 1},
    "hh-rlhf": {Reason.EMPTY: 1, Reason.PROMPTS_DIFFER: 1, Reason.UNFINISHED: 1},
    "rewardbench": {},
    "rewardbench-2": {},
    "rm-bench": {},
    "own": {Reason.EMPTY: 1},
}
SYSTEM = "System: Be brief.\n\nHuman: Capital of France?"
TALK = "Human: Hi\n\nAssistant: Hello\n\nHuman: And now?"
KEPT: dict[str, set[tuple[str, str, str]]] = {
    "nectar": {
        ("Name a bird.", "A wren.", "A bat."),
        ("Name a bird.", "A wren.", "Birds?"),
        ("Name a bird.", "Birds?", "A bat."),
    },
    "ultrafeedback": {("Add 2 and 2.", "4", "22")},
    "ultrafeedback-binarized": {("Why is the sky blue?", "Rayleigh scattering.", "It reflects the sea.")},
    "capybara": {(TALK, "Now we talk.", "Nothing.")},
    "messages": {(TALK, "Now we talk.", "Nothing."), ("Which?", "Both.", "Either.")},
    "orca": {("2 + 2?", "4", "5"), (SYSTEM, "Paris", "It is, I think, Paris.")},
    "orca-argilla": {("2 + 2?", "4", "5")},
    "pku-saferlhf": {("How do I pick a lock?", "Call a locksmith.", "Like this.")},
    "mt-bench-human": {("Write.", "Once", "Lorem")},
    "chatbot-arena": {("Hé?", "Oui.", "Non.")},
    "hh-rlhf": {
        ("Human: Hi\n\nAssistant: Hello\n\nHuman: A pun?", "Toucan play.", "No.\nHuman: is a word."),
    },
    "rewardbench": {("Hello?", "Hi.", "Bye."), ("def f(): ", "return 1", "return 2"), ("Hello?", "Hello!", "Go.")},
    "rewardbench-2": {
        ("1 + 1?", "2", "1"),
        ("1 + 1?", "2", "3"),
        ("1 + 1?", "2", "4"),
        ("A colour of the rainbow?", "red", "grey"),
        ("A colour of the rainbow?", "blue", "grey"),
    },
    "rm-bench": {
        ("Sort.", chosen, rejected) for chosen in hub.RM_BENCH[0]["chosen"] for rejected in hub.RM_BENCH[0]["rejected"]
    },
    "own": {("Hi", "Hello", "No"), ("f()", "1", "2")},
}


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
@pytest.mark.parametrize("name", FILES)
def test_a_file_is_told_by_its_columns_and_converted(name: str, form: str, tmp_path: Path) -> None:
    path = getattr(hub, form)(tmp_path / f"file.{form}", FILES[name])
    (table,) = tables(str(path))
    assert reading_of(table).name == name
    pairs, counts, _ = gather([str(path)])
    assert pairs.schema == PAIRS
    assert counts.schema == COUNTS
    assert set(pairs.select("prompt", "chosen", "rejected").iter_rows()) == KEPT[name]
    assert pairs["preference_id"].n_unique() == pairs.height == len(KEPT[name])
    summed = counts.drop("source").sum().row(0, named=True)
    assert summed["rows"] == len(FILES[name])
    assert summed["kept"] == pairs.height
    assert {reason: summed[reason] for reason in Reason if summed[reason]} == DROPPED[name]


@pytest.mark.parametrize("name", FILES)
def test_named_it_is_read_as_what_it_is(name: str, tmp_path: Path) -> None:
    path = str(hub.parquet(tmp_path / "file.parquet", FILES[name]))
    assert gather([path], name=name)[0].equals(gather([path])[0])


def test_categories_come_from_subsets_or_the_data_set(tmp_path: Path) -> None:
    wanted = {
        "rewardbench": ["Chat", "Chat Hard", "Reasoning"],
        "rewardbench-2": ["Reasoning", None],
        "rm-bench": ["Reasoning"],
        "pku-saferlhf": ["Safety"],
        "own": ["Chat", "Reasoning"],
        "nectar": [None],
    }
    for name, categories in wanted.items():
        pairs = gather([str(hub.jsonl(tmp_path / f"{name}.jsonl", FILES[name]))]).pairs
        assert pairs["category"].unique().sort(nulls_last=True).to_list() == categories


def test_a_source_of_ones_own_is_kept_and_counted(tmp_path: Path) -> None:
    pairs, counts, _ = gather([str(hub.jsonl(tmp_path / "own.jsonl", hub.OWN))])
    assert pairs["source"].to_list() == ["mine", "own"]
    assert dict(counts.select("source", "rows").iter_rows()) == {"mine": 1, "own": 2}


def test_at_most_so_many_pairs_are_drawn_of_ranked_responses(tmp_path: Path) -> None:
    path = str(hub.parquet(tmp_path / "nectar.parquet", hub.NECTAR))
    everything = {tuple(row) for row in gather([path])[0].select("prompt", "chosen", "rejected").iter_rows()}
    drawn = []
    for seed in range(20):
        pairs, counts, _ = gather([path], Rules(seed=seed, ranked_pairs=1))
        assert counts["not drawn"].item() == 2  # of three pairs; the second prompt has none
        assert pairs.height == 1
        drawn += pairs.select("prompt", "chosen", "rejected").rows()
        assert gather([path], Rules(seed=seed, ranked_pairs=1))[0].equals(pairs)
    assert set(drawn) == everything


def test_of_a_source_at_most_so_many_pairs_are_drawn_and_the_rest_counted(tmp_path: Path) -> None:
    mine = [{"prompt": f"p{n}", "chosen": "x", "rejected": "y", "source": "ab"[n % 3 > 0]} for n in range(90)]
    path = str(hub.jsonl(tmp_path / "own.jsonl", mine))
    everything = gather([path]).pairs
    drawn = []
    for seed in range(5):
        pairs, counts, _ = gather([path], Rules(seed=seed, pairs_per_source=40))
        assert counts.select("source", "pairs", "kept", "prompts", str(Reason.NOT_DRAWN)).rows() == [
            ("a", 30, 30, 30, 0),
            ("b", 60, 40, 40, 20),
        ]
        assert dict(pairs.group_by("split").len().iter_rows()) == {
            split: counts[split].sum() for split in ("train", "validation") if counts[split].sum()
        }
        assert pairs["prompt"].to_list() == [p for p in everything["prompt"] if p in set(pairs["prompt"])]
        drawn.append(frozenset(pairs["prompt"]))
    assert len(set(drawn)) == 5
    assert len(frozenset.union(*drawn)) == 90


def test_too_long_and_repeated_pairs_are_left_out_across_files(tmp_path: Path) -> None:
    first = hub.jsonl(tmp_path / "a.jsonl", [{"prompt": "p", "chosen": "x" * 99, "rejected": "y"}])
    second = hub.parquet(tmp_path / "b.parquet", [{"prompt": "p ", "chosen": "x" * 99, "rejected": "y", "source": "b"}])
    pairs, counts, _ = gather([str(first), str(second)], Rules(max_characters=100))
    assert pairs["source"].to_list() == ["own"]
    assert counts.filter(source="b")[str(Reason.DUPLICATE)].item() == 1
    hub.jsonl(tmp_path / "a.jsonl", [{"prompt": "p", "chosen": n * "x", "rejected": "y"} for n in (98, 99)])
    counts = gather([str(tmp_path / "a.jsonl")], Rules(max_characters=99)).counts
    assert counts.select("kept", str(Reason.TOO_LONG)).row(0) == (1, 1)


def test_only_what_the_preference_table_has_is_made(tmp_path: Path) -> None:
    from warehouse.schema import TABLES

    pairs = gather([str(hub.jsonl(tmp_path / "own.jsonl", hub.OWN))]).pairs
    table = pl.Schema(TABLES["preference"].polars_schema)
    assert pairs.drop("subset").schema == pl.Schema({k: v for k, v in table.items() if k != "run_id"})
