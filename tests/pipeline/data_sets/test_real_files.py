"""HH-RLHF's and RM-Bench's own files, against a plain reading of the same files without any of our code."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from pipeline.data_sets.gather import Rules, gather
from pipeline.data_sets.known import REWARDBENCH_PROMPTS, REWARDBENCH_ROWS
from pipeline.data_sets.pairs import Reason

DATA = Path(__file__).parents[3].parent / "shared" / "data"
HH_RLHF = DATA / "hh-rlhf" / "harmless-base-test.jsonl.gz"
RM_BENCH = DATA / "rm-bench"
REWARDBENCH = DATA / "reward-bench"

needs_hh_rlhf = pytest.mark.skipif(not HH_RLHF.exists(), reason="HH-RLHF's file is not in ../shared/data/hh-rlhf")
needs_rm_bench = pytest.mark.skipif(not RM_BENCH.exists(), reason="RM-Bench's files are not in ../shared/data/rm-bench")
needs_rewardbench = pytest.mark.skipif(
    not REWARDBENCH.exists(), reason="RewardBench's filtered split is not in ../shared/data/reward-bench"
)

EVERYTHING = Rules(max_characters=10**9)


@needs_hh_rlhf
def test_hh_rlhf_is_split_at_the_last_assistant_mark() -> None:
    mark = "\n\nAssistant:"
    frame = pd.read_json(HH_RLHF, lines=True, compression="gzip")
    cut = {side: frame[side].str.rpartition(mark) for side in ("chosen", "rejected")}
    same = cut["chosen"][0] == cut["rejected"][0]
    texts = pd.DataFrame({side: cut[side][2].str.strip() for side in cut})
    full = (texts != "").all(axis=1)
    assert not (texts["chosen"] == texts["rejected"])[same & full].any()
    pairs, counts, _ = gather([str(HH_RLHF)], EVERYTHING)
    assert counts["rows"].item() == len(frame) == 2312
    assert counts[str(Reason.PROMPTS_DIFFER)].item() == (~same).sum() == 5
    assert counts[str(Reason.EMPTY)].item() == (same & ~full).sum() == 4
    assert counts["kept"].item() == (same & full).sum() == 2303
    assert pairs["chosen"].to_list() == texts["chosen"][same & full].to_list()
    assert pairs["rejected"].to_list() == texts["rejected"][same & full].to_list()
    first_words = cut["chosen"][0][same & full].str.strip().str.removeprefix("Human:").str.strip().str.slice(0, 10)
    assert pairs["prompt"].str.strip_prefix("Human: ").str.slice(0, 10).to_list() == first_words.to_list()
    assert counts["prompts"].item() == cut["chosen"][0][same & full].nunique()


@needs_hh_rlhf
def test_hh_rlhf_gives_its_text_back() -> None:
    """The prompt's text, a mark and the response are the conversation again, but for blanks around turns."""
    pairs = gather([str(HH_RLHF)], EVERYTHING).pairs
    made = {
        "".join(f"{'' if prompt.startswith('Human: ') else 'Human: '}{prompt}Assistant:{chosen}".split())
        for prompt, chosen in pairs.select("prompt", "chosen").iter_rows()
    }
    with gzip.open(HH_RLHF, "rt", encoding="utf-8") as lines:
        real = {"".join(json.loads(line)["chosen"].split()) for line in lines}
    assert len(made) == 2303
    assert made <= real


@needs_rm_bench
def test_rm_bench_gives_nine_pairs_an_item() -> None:
    items: list[dict[str, Any]] = [
        item for path in sorted(RM_BENCH.glob("*.json")) for item in json.loads(path.read_text(encoding="utf-8"))
    ]
    wanted = [
        (item["prompt"], chosen, rejected)
        for item in items
        for chosen in item["chosen"]
        for rejected in item["rejected"]
    ]
    stripped = [tuple(text.strip() for text in pair) for pair in wanted]
    pairs, counts, _ = gather([str(RM_BENCH)], EVERYTHING)
    assert counts["rows"].item() == len(items) == 129 + 284
    assert counts["pairs"].item() == 9 * len(items)
    assert counts[str(Reason.IDENTICAL)].item() == sum(chosen == rejected for _, chosen, rejected in stripped)
    assert set(pairs.select("prompt", "chosen", "rejected").iter_rows()) <= set(wanted)
    assert counts["kept"].item() == len(set(stripped)) - counts[str(Reason.IDENTICAL)].item()
    assert counts["prompts"].item() == len({item["prompt"].strip() for item in items})
    by_category = dict(pairs.group_by("category").agg(pl.col("prompt").n_unique()).iter_rows())
    of_chat = {item["prompt"] for item in json.loads((RM_BENCH / "chat_filtered.json").read_text(encoding="utf-8"))}
    assert by_category == {"Chat": len(of_chat), "Safety": len({item["prompt"] for item in items} - of_chat)}


@needs_rewardbench
def test_rewardbench_has_the_papers_number_of_distinct_prompts() -> None:
    counts = gather([str(REWARDBENCH)], EVERYTHING).counts
    assert counts["rows"].item() == REWARDBENCH_ROWS
    assert counts["prompts"].item() == REWARDBENCH_PROMPTS
