"""Single-answer judgments: the judge is the reward model, each turn a prompt, −1 a missing score."""

from __future__ import annotations

from tests.warehouse.exchange.layouts.conftest import Reader, by_response, models


def test_judges_are_reward_models_and_turns_are_prompts(read: Reader) -> None:
    rows = [
        {
            "question_id": 81,
            "model": writer,
            "judge": [judge, "single-v1"],
            "score": score,
            "turn": turn,
            "judgment": "so",
        }
        for writer in ("scribe", "quill")
        for judge in ("mild", "stern")
        for turn, score in ((1, 7), (2, -1 if writer == "quill" else 3))
    ]
    pieces = read({"x.jsonl": rows})
    scores = by_response(pieces)
    assert models(pieces) == ["mild", "stern"]
    assert scores["mild", "81/turn-1", "quill"] == 7.0
    assert scores["stern", "81/turn-2", "quill"] is None
    assert "x.jsonl: 2 judgments of score -1, which FastChat could not read: missing" in pieces.notes


def test_one_turn_alone_needs_no_name(read: Reader) -> None:
    rows = [{"question_id": q, "model": "scribe", "judge": "mild", "score": 5, "turn": 1} for q in (81, 82)]
    assert set(read({"x.jsonl": rows}).long["prompt_id"]) == {"81", "82"}
