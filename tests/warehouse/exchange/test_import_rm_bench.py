"""RM-Bench's own files: lists and string-encoded lists, with scores in them, beside them, or nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.warehouse.exchange import files
from tests.warehouse.exchange.conftest import Import, tables
from warehouse import reads, store
from warehouse.errors import InvalidRows

FOLDER = Path(__file__).parents[3].parent / "shared" / "data" / "rm-bench"
NAMES = ("chat_filtered.json", "safety-refuse_filtered.json")

pytestmark = pytest.mark.skipif(
    not all((FOLDER / name).exists() for name in NAMES), reason="RM-Bench's files are not in ../shared/data/rm-bench"
)


def items(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / name).read_text())
    return found


def scored(name: str, model: int) -> list[dict[str, Any]]:
    """Items as RM-Bench's scorer writes them; a reward model here is a taste for length."""
    liking = (1.0, -1.0, 0.5)[model]
    return [
        item
        | {f"score_{side}": [liking * len(text) / 64 + model for text in item[side]] for side in ("chosen", "rejected")}
        for item in items(name)
    ]


@pytest.mark.parametrize("layout", ["auto", "rm-bench"])
def test_without_scores_there_is_nothing_to_measure_yet(data: Path, imported: Import, layout: str) -> None:
    with pytest.raises(
        InvalidRows, match=r"chat_filtered\.json, column score: got prompts and responses without scores"
    ):
        imported(FOLDER / NAMES[0], layout=layout)
    assert not data.exists()


def test_scores_in_the_items(tmp_path: Path, data: Path, imported: Import) -> None:
    for m, model in enumerate(files.MODELS):
        for name in NAMES:
            path = tmp_path / f"{name.removesuffix('.json')}_{model}_REWORD_MODEL_20250101_00000{m}.json"
            path.write_text(json.dumps(scored(name, m), indent=4, ensure_ascii=False))
    imported(*sorted(tmp_path.glob("*.json")), layout="rm-bench")
    with store.open_read_only(data) as connection:
        cube = reads.scores.score_cube(connection, "theirs")
        values = reads.values.policy_values(connection, "theirs", "bon", 6)
    assert cube.reward_models == ("big", "label", "mid", "small")
    assert cube.scores_MPR.shape == (4, 129 + 284, 6)
    assert set(cube.scores_MPR[1].sum(axis=1)) == {3.0}
    assert {*zip(cube.categories, cube.subsets, strict=True)} >= {
        ("Chat", "alpacaeval"),
        ("Safety", "refusals-dangerous"),
    }
    assert values.optimised_MMQ.shape == (4, 4, 413)
    found = tables(data)
    assert found["preference"].height == 413 * 9
    first = items(NAMES[0])[0]
    asked = found["prompt"].filter(prompt_id=f"{first['id']}#rm")
    assert asked["text"].to_list() == [first["prompt"]]
    given = found["response"].filter(prompt_id=f"{first['id']}#rm").sort("sample")["text"].to_list()
    assert given == first["chosen"] + first["rejected"]


@pytest.mark.parametrize("encode", [json.dumps, repr])
def test_string_encoded_lists_with_scores_in_a_file_of_their_own(
    tmp_path: Path, data: Path, imported: Import, encode: Any
) -> None:
    found = items(NAMES[1])[:40]
    rows = [{name: encode(cell) if isinstance(cell, list) else cell for name, cell in item.items()} for item in found]
    described = files.write(pl.DataFrame(rows), tmp_path / "rm-bench.csv")
    scores = [
        {
            "prompt_id": item["id"],
            "response_id": f"{side}-{place + 1}",
            "reward_model": model,
            "score": m * place - len(side),
        }
        for m, model in enumerate(files.MODELS)
        for item in found
        for side in ("chosen", "rejected")
        for place in range(3)
    ]
    imported(described, files.write(pl.DataFrame(scores), tmp_path / "scores.parquet"))
    stored = tables(data)
    assert stored["prompt"]["category"].unique().to_list() == ["Safety"]
    assert stored["response"].height == 2 * 6 * 40
    assert set(stored["response"]["text"]) == {text for item in found for text in item["chosen"] + item["rejected"]}
    assert stored["preference"].height == 9 * 40


def test_a_broken_list_is_named_by_row_and_column(tmp_path: Path, data: Path, imported: Import) -> None:
    rows = [
        {**item, "chosen": json.dumps(item["chosen"]), "rejected": json.dumps(item["rejected"])}
        for item in items(NAMES[1])
    ]
    rows[5]["rejected"] = rows[5]["rejected"][:50]
    with pytest.raises(InvalidRows, match=r"a\.csv, row 6 \(line \d+\), column rejected: got .*; wanted a list"):
        imported(files.write(pl.DataFrame(rows), tmp_path / "a.csv"))
    assert not data.exists()
