"""Tokens per second of sampling, reading and PPO, beside transformers' `generate()` and the floor, in one run.

    python -m tests.benchmarks.sampling [--print]

The floor of a piece of work is the time that the matrix products it cannot do without take at the rate of a large
product measured in the same run: 2 operations per weight and token, as many again for a weight's gradient and
for an input's, and a prompt once for all its responses. Written into `docs/benchmarks.md`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from pipeline.config import EMBEDDED_MODEL, PPOSettings
from pipeline.models.language_model import LanguageModel, load, precision
from pipeline.models.optimizers.ppo import PPO
from pipeline.models.rollout import Rollout
from pipeline.models.sampler import Request, sample
from pipeline.models.trunk import trunk_features
from pipeline.prompts import load_prompts
from tests.benchmarks.baselines import json_line
from tests.benchmarks.document import insert
from tests.pipeline.models.tiny import random_reward_model

INSTRUCTION = "Answer in one short sentence."
TEMPERATURE = 0.7
NEW_TOKENS = 64
"""Nearly all responses end by themselves before so many, after 26 tokens on average."""
SAMPLES = 8
LAYERS = 2
"""Top blocks that PPO trains, as its settings have it."""


@dataclass(frozen=True)
class Done:
    """A piece of work: response tokens made or read, and operations of the matrix products it cannot do without."""

    tokens: int
    operations: float


@dataclass(frozen=True)
class Weights:
    """Numbers of weights: of one block, of the head (or of the embedding that it shares), and of all blocks."""

    block: int
    head: int
    blocks: int

    @classmethod
    def of(cls, model: LanguageModel) -> Weights:
        blocks = [sum(weight.numel() for weight in block.parameters()) for block in model.base.layers]
        return cls(blocks[0], model.model.lm_head.weight.numel(), sum(blocks))


def best(work: Callable[[], Done], rounds: int = 2) -> tuple[float, Done]:
    """Least seconds of so many rounds after one to warm up, and what was done in them."""
    work()
    timed = []
    for _ in range(rounds):
        begun = time.perf_counter()
        done = work()
        timed.append((time.perf_counter() - begun, done))
    return min(timed, key=lambda pair: pair[0])


def matrix_rate() -> float:
    """Operations per second of a large product, in the precision in which models are read here."""
    dtype = precision(torch.device("cpu"))
    a, b = torch.randn(4096, 576).to(dtype), torch.randn(576, 1536).to(dtype)
    operations = 20 * 2 * 4096 * 576 * 1536

    def work() -> Done:
        for _ in range(20):
            a @ b
        return Done(0, operations)

    return operations / best(work, rounds=5)[0]


def precision_name() -> str:
    """`bfloat16`, or `float32`: see `language_model.precision`."""
    return str(precision(torch.device("cpu"))).removeprefix("torch.")


def plain(model: LanguageModel, prompts: list[str], weights: Weights) -> Callable[[], Done]:
    """`generate()` of transformers: left-padded, its own attention and cache; tokens after the end do not count."""
    tokenizer = model.tokenizer
    tokenizer.padding_side = "left"
    rows = [prompt for prompt in prompts for _ in range(SAMPLES)]
    inputs = tokenizer.pad({"input_ids": [model.prompt_ids(prompt) for prompt in rows]}, return_tensors="pt")

    def work() -> Done:
        torch.manual_seed(0)
        made = model.model.generate(
            **inputs, max_new_tokens=NEW_TOKENS, do_sample=True, temperature=TEMPERATURE, top_k=0
        )
        ended = (made[:, inputs["input_ids"].shape[1] :] == model.end_id).long().cumsum(1)
        tokens = int((ended == 0).sum() + (ended.amax(1) > 0).sum())
        return Done(tokens, sampling_operations(model, prompts, tokens, weights))

    return work


def sampling_operations(model: LanguageModel, prompts: list[str], tokens: int, weights: Weights) -> float:
    """Operations to read each of these prompts once and to sample so many tokens."""
    read = sum(len(model.prompt_ids(prompt)) for prompt in set(prompts))
    return 2.0 * (weights.blocks * (read + tokens) + weights.head * tokens)


def sampling(model: LanguageModel, prompts: list[str], each: int, weights: Weights) -> Callable[[], Done]:
    """Our sampler, so many samples of each prompt in one batch."""
    requests = [Request(prompt, TEMPERATURE) for prompt in prompts for _ in range(each)]

    def work() -> Done:
        tokens = sum(made.tokens for made in sample(model, requests, NEW_TOKENS, 0))
        return Done(tokens, sampling_operations(model, prompts, tokens, weights))

    return work


def reading(model: LanguageModel, texts: list[tuple[str, str]], size: int, weights: Weights) -> Callable[[], Done]:
    """The trunk over texts, so many at a time, for their scores."""
    batches = [texts[at : at + size] for at in range(0, len(texts), size)]
    tokens = sum(len(model.response_ids(response)) for _, response in texts)
    read = tokens + sum(
        len(model.prompt_ids(prompt)) for batch in batches for prompt in {prompt for prompt, _ in batch}
    )

    def work() -> Done:
        for batch in batches:
            trunk_features(model, [0], batch)
        return Done(tokens, 2.0 * weights.blocks * read)

    return work


def ppo_steps(model: LanguageModel, prompts: list[str], weights: Weights) -> dict[str, tuple[float, Done]]:
    """A step of PPO in its three parts: rollouts, judging them, the updates."""
    settings = PPOSettings(trainable_layers=LAYERS)
    rows = [prompt for prompt in prompts for _ in range(SAMPLES)]
    ppo = PPO(
        model,
        random_reward_model(model, 0, seed=1),
        settings,
        kl_coefficient=0.0,
        temperature=TEMPERATURE,
        max_new_tokens=NEW_TOKENS,
        seed=0,
    )
    rollout: Rollout = ppo.sample(rows, 0)
    judged, _ = ppo._judged(rollout)
    batch = ppo.batch(judged)
    tokens = int(rollout.lengths_B.sum())
    read = tokens + sum(len(model.prompt_ids(prompt)) for prompt in prompts)
    top, head, epochs = LAYERS * weights.block * read, weights.head * tokens, settings.epochs
    learning = 3 * top - weights.block * read  # the lowest trained block's input needs no gradient
    parts: dict[str, tuple[Callable[[], object], float]] = {
        "rollouts": (lambda: ppo.sample(rows, 0), sampling_operations(model, prompts, tokens, weights)),
        # policy, reference and critic over the top blocks; two distributions over the vocabulary
        "judging them": (lambda: ppo._judged(rollout), 2.0 * (3 * top + 2 * head)),
        # policy and critic forth and back; the distribution and its mean embedding
        "updates": (lambda: ppo._update(batch), 2.0 * epochs * (2 * learning + 2 * head)),
    }
    return {name: best(lambda do=do, done=Done(tokens, n): (do(), done)[1]) for name, (do, n) in parts.items()}  # type: ignore[misc]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", help="print the section instead of writing it")
    arguments = parser.parse_args()
    ours, theirs = load(EMBEDDED_MODEL), load(EMBEDDED_MODEL)
    theirs.model.set_attn_implementation("sdpa")
    written = load_prompts()["text"].to_list()
    prompts = [f"{prompt} {INSTRUCTION}" for prompt in written[:: len(written) // 8][:8]]
    weights = Weights.of(ours)
    rate = matrix_rate()
    many = [Request(prompt, TEMPERATURE) for prompt in prompts for _ in range(3 * SAMPLES)]
    texts = [(request.prompt, made.text) for request, made in zip(many, sample(ours, many, NEW_TOKENS, 0), strict=True)]
    peer = best(plain(theirs, prompts, weights))
    rows = {
        f"`generate()` of transformers, batch {len(prompts) * SAMPLES}": peer,
        f"sampling, batch {len(prompts) * SAMPLES}": best(sampling(ours, prompts, SAMPLES, weights)),
        f"sampling, batch {len(many)}, as a run does": best(sampling(ours, prompts, 3 * SAMPLES, weights)),
        f"sampling, batch {2 * len(many)}": best(sampling(ours, prompts, 6 * SAMPLES, weights)),
        "reading texts for their scores, 48 at a time, as a run does": best(reading(ours, texts, 48, weights)),
        "reading texts for their scores, 192 at a time": best(reading(ours, texts, 192, weights)),
    }
    rows |= {
        f"PPO, batch {len(prompts) * SAMPLES}: {name}": timed
        for name, timed in ppo_steps(ours, prompts, weights).items()
    }
    peer_rate = peer[1].tokens / peer[0]
    lines = [
        f"SmolLM2-135M, {precision_name()}, {torch.get_num_threads()} threads, "
        f"{rate / 1e9:,.0f} GFLOP/s in a large product;",
        f"prompts that end with “{INSTRUCTION}”, temperature {TEMPERATURE}, at most {NEW_TOKENS} tokens a response;",
        f"PPO trains {LAYERS} blocks for {PPOSettings().epochs} epochs.",
        "",
        "| | response tokens/s | against `generate()` | × floor |",
        "| --- | ---: | ---: | ---: |",
    ]
    for what, (seconds, done) in rows.items():
        speed = done.tokens / seconds
        lines.append(f"| {what} | {speed:,.0f} | {speed / peer_rate:.1f}× | {seconds * rate / done.operations:.2f} |")
    print("\n".join(lines))
    if not arguments.print:
        insert("sampling", "\n".join(lines))
    print(json_line("sampling", {name: seconds for name, (seconds, _) in rows.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
