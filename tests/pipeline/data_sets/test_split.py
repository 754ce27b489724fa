"""The validation share: whole prompts, by seed, about as many as asked for."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.data_sets.conversations import first_user_turn
from pipeline.data_sets.gather import Rules, gather, is_validation
from tests.pipeline.data_sets import hub

TURNS = ["Human: a\n\nAssistant: b\n\nHuman: c", "Human: a\n\nAssistant: d\n\nHuman: c", "a", "a ", "c", "e", "f", "g"]
rows = st.fixed_dictionaries(
    {"prompt": st.sampled_from(TURNS), "chosen": st.sampled_from("uvw"), "rejected": st.sampled_from("xyz")}
)


@settings(deadline=None)
@given(st.lists(rows, min_size=1, max_size=40), st.integers(0, 99), st.floats(0, 0.99))
def test_no_prompt_is_on_both_sides(given_rows: list[dict[str, str]], seed: int, share: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = hub.jsonl(Path(folder) / "own.jsonl", given_rows)
        pairs, counts, _ = gather([str(path)], Rules(seed=seed, validation_share=share))
    sides = {
        split: {first_user_turn(prompt) for prompt in pairs.filter(split=split)["prompt"]}
        for split in ("train", "validation")
    }
    assert not sides["train"] & sides["validation"]
    assert sides["train"] | sides["validation"] == {first_user_turn(row["prompt"]) for row in given_rows}
    assert counts["train"].item() == pairs.filter(split="train").height
    assert counts["validation"].item() == pairs.filter(split="validation").height


def test_the_share_is_about_what_was_asked_for_and_follows_the_seed() -> None:
    prompts = [f"prompt {number}" for number in range(20_000)]
    by_seed = [[is_validation(prompt, 0.06, seed) for prompt in prompts] for seed in (0, 1)]
    for held_out in by_seed:
        assert abs(sum(held_out) / len(prompts) - 0.06) < 4 * (0.06 * 0.94 / len(prompts)) ** 0.5
    assert by_seed[0] != by_seed[1]
    assert not any(is_validation(prompt, 0.0, 0) for prompt in prompts)
    assert all(is_validation(p, 0.5, 0) for p in prompts if is_validation(p, 0.06, 0))
