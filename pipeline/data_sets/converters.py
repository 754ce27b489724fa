"""How a row of each data set becomes candidate pairs. Columns and files are those that the Hugging Face hub serves.

Test sets, whose subsets have categories: RewardBench (arXiv 2403.13787), RewardBench 2 (2506.01937), RM-Bench
(2410.16184). The training mix of the paper (2410.05584): Nectar, UltraFeedback (2310.01377), PKU-SafeRLHF (2406.15513),
Orca pairs, Capybara-7K-binarized, HH-RLHF (2204.05862), MT-Bench's human judgments and Chatbot Arena (both 2306.05685).
`known.py` lists the columns and the names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations, product

from pipeline.data_sets.pairs import (
    Candidate,
    Pair,
    Reason,
    Row,
    WrongCell,
    from_marked_text,
    from_objects,
    pair_of_conversations,
    prompt_text,
    prompt_with_system,
)
from warehouse.exchange.categories import CATEGORY_OF_SUBSET
from warehouse.schema import CATEGORIES

REWARDBENCH_ROWS, REWARDBENCH_PROMPTS = 2985, 2733
"""Rows of RewardBench's filtered split, and its distinct prompts as the paper counts them."""

_CATEGORY_IN_REWARDBENCH_2 = {"math": "Reasoning", "safety": "Safety"}


def own(row: Row) -> Iterator[Candidate]:
    """A file of one's own, texts in `prompt, chosen, rejected`; without a category, the subset's in RewardBench."""
    category, subset = row.get("category") or None, row.get("subset") or None
    if category is not None and category not in CATEGORIES:
        raise WrongCell("category", category, f"one of {list(CATEGORIES)}, or nothing")
    category = category or CATEGORY_OF_SUBSET.get(subset or "")
    yield Pair(row["prompt"], row["chosen"], row["rejected"], category, subset, row.get("source") or None)


def rewardbench(row: Row) -> Iterator[Candidate]:
    """allenai/reward-bench, `data/filtered-*.parquet`: 2,985 rows in 23 subsets, each with its category."""
    subset = row["subset"]
    if subset not in CATEGORY_OF_SUBSET:
        raise WrongCell("subset", subset, "one of RewardBench's 23: get the file again, or name it `--as own`")
    yield Pair(row["prompt"], row["chosen"], row["rejected"], CATEGORY_OF_SUBSET[subset], subset)


def rewardbench_2(row: Row) -> Iterator[Candidate]:
    """allenai/reward-bench-2, `data/test-*.parquet`: every chosen response against every rejected one.

    Math is Reasoning and Safety is Safety; Factuality, Precise IF, Focus and Ties have no category in RewardBench.
    """
    category = _CATEGORY_IN_REWARDBENCH_2.get((row["subset"] or "").lower())
    yield from _each_against_each(row, category, row["subset"])


def rm_bench(row: Row) -> Iterator[Candidate]:
    """THU-KEG/RM-Bench, `total_dataset.json` or one domain's file: three chosen responses (terse, detailed, with
    Markdown) against three rejected ones, nine pairs. The category comes from `subset` or `domain`."""
    names = [str(row.get(column)) for column in ("subset", "domain")]
    category = next((CATEGORY_OF_SUBSET[name] for name in names if name in CATEGORY_OF_SUBSET), None)
    yield from _each_against_each(row, category, row.get("subset") or row.get("domain"))


def _each_against_each(row: Row, category: str | None, subset: str | None) -> Iterator[Candidate]:
    for chosen, rejected in product(row["chosen"] or [], row["rejected"] or []):
        yield Pair(row["prompt"], chosen, rejected, category, subset)


def orca(row: Row) -> Iterator[Candidate]:
    """Intel/orca_dpo_pairs, `orca_rlhf.jsonl` (`question`), or argilla/distilabel-intel-orca-dpo-pairs (`input`), where
    the pairs were judged again and `status` is `tie` if neither response was better."""
    if row.get("status") == "tie":
        yield Reason.TIE
    else:
        user = row["input"] if "input" in row else row["question"]
        yield Pair(prompt_with_system(row.get("system"), user), row["chosen"], row["rejected"])


def safe_rlhf(row: Row) -> Iterator[Candidate]:
    """PKU-Alignment/PKU-SafeRLHF, or its `-single-dimension`: one pair of category Safety.

    `better_response_id` is the helpful response (or the better one in both respects), `safer_response_id` the harmless
    one. A reward model has a single score, so pairs on which they disagree are dropped.
    """

    def side(column: str) -> int:
        if row[column] not in (0, 1, "0", "1"):
            raise WrongCell(column, row[column], "0 or 1, the response that was preferred")
        return int(row[column])

    better = side("better_response_id")
    if row.get("safer_response_id") is not None and side("safer_response_id") != better:
        yield Reason.LABELS_DISAGREE
    else:
        yield Pair(row["prompt"], row[f"response_{better}"], row[f"response_{1 - better}"], "Safety")


def hh_rlhf(row: Row) -> Iterator[Candidate]:
    """Anthropic/hh-rlhf, `*/train.jsonl.gz`: two marked texts; the shared turns are the prompt."""
    yield pair_of_conversations(from_marked_text(row["chosen"] or ""), from_marked_text(row["rejected"] or ""))


def message_pairs(row: Row) -> Iterator[Candidate]:
    """Any data set of `chosen, rejected` messages, such as HuggingFaceH4/orca_dpo_pairs. Equal grades are a tie:
    `rating_…` in argilla/distilabel-capybara-dpo-7k-binarized, `score_…` in
    HuggingFaceH4/ultrafeedback_binarized."""
    for grade in ("rating", "score"):
        if row.get(f"{grade}_chosen") is not None and row[f"{grade}_chosen"] == row[f"{grade}_rejected"]:
            yield Reason.TIE
            return
    yield pair_of_conversations(from_objects(row["chosen"], "chosen"), from_objects(row["rejected"], "rejected"))


def arena(row: Row) -> Iterator[Candidate]:
    """Votes between two models' conversations: lmsys/mt_bench_human_judgments and lmsys/chatbot_arena_conversations.

    A judgment of turn t is about the first t exchanges. From the second exchange on the models continue from their own
    earlier answers: such conversations share no prompt and are dropped.
    """
    winner, turn = row["winner"], row["turn"]
    if str(winner).startswith("tie"):
        yield Reason.TIE
        return
    if winner not in ("model_a", "model_b"):
        raise WrongCell("winner", winner, "model_a, model_b or tie")
    if not isinstance(turn, int) or turn < 1:
        raise WrongCell("turn", turn, "a number from 1")
    a, b = (from_objects(row[column], column)[: 2 * turn] for column in ("conversation_a", "conversation_b"))
    yield pair_of_conversations(a, b) if winner == "model_a" else pair_of_conversations(b, a)


def nectar(row: Row) -> Iterator[Candidate]:
    """berkeley-nest/Nectar, `data/rlaif.parquet`: seven responses ranked by GPT-4, rank 1 the best, to a prompt that
    is marked text and ends with `Assistant:`."""
    prompt = row["prompt"]
    messages = from_marked_text(prompt or "")
    if messages and messages[-1] == ("assistant", ""):
        messages = messages[:-1]
    if messages:
        prompt = prompt_text(messages)
    answers = [((answer.get("answer") or "").strip(), answer.get("rank")) for answer in row["answers"] or []]
    return _ranked(prompt, ((text, None if rank is None else -float(rank)) for text, rank in answers))


def ultrafeedback(row: Row) -> Iterator[Candidate]:
    """openbmb/UltraFeedback, `*.jsonl`: rated completions. The fine-grained score, the mean of four ratings, decides;
    the overall one, in which 1 and 10 are sometimes confused, only where it is missing."""
    scored = []
    for completion in row["completions"] or []:
        fine = completion.get("fine-grained_score")
        score = completion.get("overall_score") if fine is None else fine
        scored.append((completion.get("response"), None if score is None else float(score)))
    return _ranked(row["instruction"], scored)


def _ranked(prompt: str | None, scored: Iterable[tuple[str | None, float | None]]) -> Iterator[Candidate]:
    """All C(R, 2) pairs of R (response, score): the higher score is chosen, equal scores are a tie."""
    for (first, a), (second, b) in combinations(scored, 2):
        if a is None or b is None or a != a or b != b:
            yield Reason.UNRATED
        elif a == b:
            yield Reason.TIE
        else:
            yield Pair(prompt, first, second) if a > b else Pair(prompt, second, first)
