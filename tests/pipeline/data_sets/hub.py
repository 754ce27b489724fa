"""Small files in the schemas that the hub serves, with the odd rows that the real ones have too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

Rows = list[dict[str, Any]]


def messages(*contents: str, system: str | None = None) -> list[dict[str, str]]:
    """User and assistant in turn."""
    first = [{"content": system, "role": "system"}] if system else []
    return first + [{"content": text, "role": ("user", "assistant")[i % 2]} for i, text in enumerate(contents)]


def parquet(path: Path, rows: Rows) -> Path:
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    return path


def jsonl(path: Path, rows: Rows) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


NECTAR: Rows = [
    {
        "prompt": "\n\nHuman: Name a bird. \n\nAssistant: ",
        "answers": [
            {"answer": "A wren.", "model": "gpt-4", "rank": 1.0},
            {"answer": "A bat.", "model": "llama", "rank": 3.0},
            {"answer": "Birds?", "model": "mistral", "rank": 2.0},
        ],
        "turns": 1,
        "num_responses": 3,
        "source": ["ultrachat"],
        "good_natured": True,
    },
    {
        "prompt": "\n\nHuman: Hi\n\nAssistant: Hello!\n\nHuman: ¿Qué tal? 🐦\n\nAssistant: ",
        "answers": [
            {"answer": "Muy bien.", "model": "a", "rank": 1.0},
            {"answer": "Bien.", "model": "b", "rank": 1.0},
            {"answer": "", "model": "c", "rank": 2.0},
        ],
        "turns": 2,
        "num_responses": 3,
        "source": None,
        "good_natured": True,
    },
]

ULTRAFEEDBACK: Rows = [
    {
        "source": "evol_instruct",
        "instruction": "Add 2 and 2.",
        "models": ["a", "b", "c"],
        "completions": [
            {"response": "4", "model": "a", "fine-grained_score": 4.75, "overall_score": 1.0},
            {"response": "22", "model": "b", "fine-grained_score": 1.5, "overall_score": 10.0},
            {"response": "Four", "model": "c", "fine-grained_score": None, "overall_score": None},
        ],
        "correct_answers": ["None"],
        "incorrect_answers": ["None"],
    }
]

ULTRAFEEDBACK_BINARIZED: Rows = [
    {
        "prompt": "Why is the sky blue?",
        "prompt_id": "6f",
        "chosen": messages("Why is the sky blue?", "Rayleigh scattering."),
        "rejected": messages("Why is the sky blue?", "It reflects the sea."),
        "score_chosen": 8.5,
        "score_rejected": 3.0,
    },
    {
        "prompt": "Say hi",
        "prompt_id": "70",
        "chosen": messages("Say hi", "hi"),
        "rejected": messages("Say hi", "hello"),
        "score_chosen": 7.0,
        "score_rejected": 7.0,
    },
]

CAPYBARA: Rows = [
    {
        "source": "Airoboros",
        "conversation": [{"input": "Hi", "output": "Hello"}],
        "prompt": "Hi",
        "chosen": messages("Hi", "Hello", "And now?", "Now we talk."),
        "rejected": messages("Hi", "Hello", "And now?", "Nothing."),
        "rating_chosen": 5,
        "rating_rejected": 2,
    },
    {
        "source": "Airoboros",
        "conversation": [{"input": "Hi", "output": "Hello"}],
        "prompt": "Hi",
        "chosen": messages("Hi", "Hello", "And now?", "Same."),
        "rejected": messages("Hi", "Hello", "And now?", "Same."),
        "rating_chosen": 5,
        "rating_rejected": 4,
    },
    {
        "source": "Airoboros",
        "conversation": [{"input": "Hi", "output": "Hello"}],
        "prompt": "Hi",
        "chosen": messages("Hi", "Hello", "And now?"),
        "rejected": messages("Hi", "Hello", "And now?", "Same."),
        "rating_chosen": 4,
        "rating_rejected": 1,
    },
    {
        "source": "Airoboros",
        "conversation": [{"input": "Hi", "output": "Hello"}],
        "prompt": "Hi",
        "chosen": messages("Which?", "Both."),
        "rejected": messages("Which?", "Either."),
        "rating_chosen": 4,
        "rating_rejected": 4,
    },
]

ORCA: Rows = [
    {"system": "", "question": "2 + 2?", "chosen": "4", "rejected": "5"},
    {"system": "Be brief.", "question": "Capital of France?", "chosen": "Paris", "rejected": "It is, I think, Paris."},
    {"system": "Be brief.", "question": "Anything?", "chosen": "  ", "rejected": "No."},
]

ORCA_ARGILLA: Rows = [
    {"system": None, "input": "2 + 2?", "chosen": "4", "rejected": "5", "status": "unchanged", "chosen_score": 9.0},
    {"system": None, "input": "3 + 3?", "chosen": "6", "rejected": "six", "status": "tie", "chosen_score": 9.0},
]

SAFE_RLHF: Rows = [
    {
        "prompt": "How do I pick a lock?",
        "response_0": "Like this.",
        "response_1": "Call a locksmith.",
        "is_response_0_safe": False,
        "is_response_1_safe": True,
        "better_response_id": 1,
        "safer_response_id": 1,
    },
    {
        "prompt": "How do I hide?",
        "response_0": "In a wardrobe.",
        "response_1": "Why?",
        "is_response_0_safe": True,
        "is_response_1_safe": True,
        "better_response_id": 0,
        "safer_response_id": 1,
    },
]


def _vote(winner: str, turn: int, a: list[dict[str, str]], b: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "question_id": 81,
        "model_a": "alpaca-13b",
        "model_b": "gpt-4",
        "winner": winner,
        "judge": "author_2",
        "conversation_a": a,
        "conversation_b": b,
        "turn": turn,
    }


_A, _B = messages("Write.", "Lorem", "Again.", "Ipsum"), messages("Write.", "Once", "Again.", "upon")
MT_BENCH: Rows = [
    _vote("model_b", 1, _A, _B),
    _vote("model_b", 1, _A, _B),  # another judge, of the same mind
    _vote("model_a", 1, _A, _B),  # and one of another
    _vote("tie", 1, _A, _B),
    _vote("model_a", 2, _A, _B),
]

_MORE = {"anony": True, "language": "English", "tstamp": 1682351591.1}
CHATBOT_ARENA: Rows = [
    _vote("model_a", 1, messages("Hé?", "Oui."), messages("Hé?", "Non.")) | _MORE,
    _vote("tie (bothbad)", 1, messages("Hé!", "Oui."), messages("Hé!", "Non.")) | _MORE,
]

HH_RLHF: Rows = [
    {
        "chosen": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: A pun?\n\nAssistant: Toucan play.",
        "rejected": "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: A pun?\n\nAssistant: No.\nHuman: is a word.",
    },
    {"chosen": "\n\nHuman: One?\n\nAssistant: Yes", "rejected": "\n\nHuman: One?\n\nAssistant:"},
    {"chosen": "\n\nHuman: One?\n\nAssistant: Yes", "rejected": "\n\nHuman: Two?\n\nAssistant: Yes!"},
    {"chosen": "\n\nHuman: One?", "rejected": "\n\nHuman: One?\n\nAssistant: Yes!"},
]

REWARDBENCH: Rows = [
    {
        "prompt": "Hello?",
        "chosen": "Hi.",
        "chosen_model": "gpt-4",
        "rejected": "Bye.",
        "rejected_model": "alpaca",
        "subset": "alpacaeval-easy",
        "id": 0,
    },
    {
        "prompt": "def f(): ",
        "chosen": "return 1",
        "chosen_model": "human",
        "rejected": "return 2",
        "rejected_model": "human",
        "subset": "hep-python",
        "id": 0,
    },
    {
        "prompt": "Hello?",
        "chosen": "Hello!",
        "chosen_model": "gpt-4",
        "rejected": "Go.",
        "rejected_model": "alpaca",
        "subset": "mt-bench-hard",
        "id": 1,
    },
]

REWARDBENCH_2: Rows = [
    {
        "id": "math-1",
        "prompt": "1 + 1?",
        "chosen": ["2"],
        "rejected": ["1", "3", "4"],
        "num_correct": 1,
        "num_incorrect": 3,
        "total_completions": 4,
        "models": ["a", "b", "c", "d"],
        "subset": "Math",
    },
    {
        "id": "ties-1",
        "prompt": "A colour of the rainbow?",
        "chosen": ["red", "blue"],
        "rejected": ["grey"],
        "num_correct": 2,
        "num_incorrect": 1,
        "total_completions": 3,
        "models": [],
        "subset": "Ties",
    },
]

RM_BENCH: Rows = [
    {
        "id": "code-1",
        "prompt": "Sort.",
        "chosen": ["sorted(x)", "Use sorted(x).", "**sorted(x)**"],
        "rejected": ["x", "Use x.", "**x**"],
        "domain": "code",
    }
]

OWN: Rows = [
    {"prompt": "Hi", "chosen": "Hello", "rejected": "No", "category": "Chat", "source": "mine"},
    {"prompt": "f()", "chosen": "1", "rejected": "2", "subset": "hep-rust"},
    {"prompt": "f()", "chosen": None, "rejected": "2"},
]
