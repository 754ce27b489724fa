"""Tokens per second of sampling and of reading texts, beside transformers' `generate()` and the floor, in one run.

    python -m tests.benchmarks.sampling

The floor is the model's operations per token at the rate of a large bfloat16 matrix product measured in the same run.
Written into `docs/benchmarks.md`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch

from pipeline.config import EMBEDDED_MODEL
from pipeline.models.language_model import LanguageModel, load
from pipeline.models.sampler import Request, sample
from pipeline.models.trunk import trunk_features
from pipeline.prompts import load_prompts
from tests.benchmarks.document import insert

NEW_TOKENS = 48
SAMPLES = 8


def best(work: Callable[[], int], rounds: int = 2) -> float:
    """Most tokens per second of so many rounds after one to warm up; `work` returns its tokens."""
    work()
    rates = []
    for _ in range(rounds):
        begun = time.perf_counter()
        tokens = work()
        rates.append(tokens / (time.perf_counter() - begun))
    return max(rates)


def matrix_rate() -> float:
    """Operations per second of a large bfloat16 product."""
    a, b = torch.randn(4096, 576).bfloat16(), torch.randn(576, 1536).bfloat16()

    def work() -> int:
        for _ in range(20):
            a @ b
        return 20 * 2 * 4096 * 576 * 1536

    return best(work, rounds=5)


def plain(model: LanguageModel, prompts: list[str]) -> Callable[[], int]:
    """`generate()` of transformers: left-padded, its own attention and cache; tokens after the end do not count."""
    tokenizer = model.tokenizer
    tokenizer.padding_side = "left"
    rows = [prompt for prompt in prompts for _ in range(SAMPLES)]
    inputs = tokenizer.pad({"input_ids": [model.prompt_ids(prompt) for prompt in rows]}, return_tensors="pt")

    def work() -> int:
        torch.manual_seed(0)
        made = model.model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=True, temperature=1.0, top_k=0)
        ended = (made[:, inputs["input_ids"].shape[1] :] == model.end_id).long().cumsum(1)
        return int((ended == 0).sum() + (ended.amax(1) > 0).sum())

    return work


def main() -> int:
    ours = load(EMBEDDED_MODEL)
    theirs = load(EMBEDDED_MODEL)
    theirs.model.set_attn_implementation("sdpa")
    prompts = load_prompts()["text"].to_list()[::72][:8]
    weights = sum(parameter.numel() for parameter in ours.model.parameters())
    floor = matrix_rate() / (2 * weights)
    requests = [Request(prompt, 1.0) for prompt in prompts for _ in range(SAMPLES)]
    many = [Request(prompt, 1.0) for prompt in prompts for _ in range(3 * SAMPLES)]
    peer = best(plain(theirs, prompts))
    same_batch = best(lambda: sum(made.tokens for made in sample(ours, requests, NEW_TOKENS, 0)))
    our_batch = best(lambda: sum(made.tokens for made in sample(ours, many, NEW_TOKENS, 0)))
    texts = [(request.prompt, made.text) for request, made in zip(many, sample(ours, many, NEW_TOKENS, 0), strict=True)]
    tokens = sum(len(ours.response_ids(response)) for _, response in texts)
    reading = {
        size: best(
            lambda size=size: (
                [trunk_features(ours, [0], texts[at : at + size]) for at in range(0, len(texts), size)]  # type: ignore[misc]
                and tokens
            )
        )
        for size in (48, 192)
    }
    rows = [
        (f"`generate()` of transformers, batch {len(requests)}", peer),
        (f"sampling, batch {len(requests)}", same_batch),
        (f"sampling, batch {len(many)}, as a run does", our_batch),
        ("reading texts for their scores, 48 at a time, as a run does", reading[48]),
        ("reading texts for their scores, 192 at a time", reading[192]),
    ]
    lines = [
        f"SmolLM2-135M, bfloat16, {torch.get_num_threads()} threads; response tokens, at most {NEW_TOKENS} each.",
        f"Floor: {floor:,.0f} tokens/s.",
        "",
        "| | tokens/s | against `generate()` | of the floor |",
        "| --- | ---: | ---: | ---: |",
        *(f"| {what} | {rate:,.0f} | {rate / peer:.1f}× | {rate / floor:.0%} |" for what, rate in rows),
    ]
    print("\n".join(lines))
    insert("sampling", "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
