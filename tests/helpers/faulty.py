"""A test set with planted faults: 20 reward models or more, labels, prompts of two or four responses, four subsets.

    python -m tests.helpers.faulty FILE.parquet [--models 20] [--seed 0]

writes one as a file that `righttree import` reads. A response has a quality; the label says which response of a prompt
is the best. Reward model m scores it ability_m · quality + noise. Subsets: `plain`; `hard`, whose responses are closer
to each other; `noise`, where all scores are noise; `easy`, where the best response is far better, so that all reward
models are right. Faults, all on `plain` and `hard`: 5 % of labels flipped, items repeated, two responses with one text,
and all responses with one label.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.metrics.cube import PolicyValues, ScoreCube, best_of_n_policies
from warehouse.study.audit.redundant import Texts

SUBSETS = ("plain", "hard", "noise", "easy")
_CATEGORY = {"plain": "Skills", "hard": "Skills", "noise": "Oddities", "easy": "Oddities"}
_GAP = {"plain": 2.0, "hard": 0.5, "noise": 0.0, "easy": 40.0}
_SYLLABLES = ("am", "bel", "cor", "dan", "el", "fir", "gos", "hal", "im", "jun", "kel", "lum")
_WORDS = [first + second for first in _SYLLABLES for second in _SYLLABLES]


@dataclass(frozen=True)
class FaultySet:
    """`scores_MPR` of M reward models and then the label; `faults` are the numbers of the items that have each."""

    scores_MPR: NDArray[np.float32]
    responses_P: NDArray[np.int64]
    subsets: tuple[str, ...]
    prompts: tuple[str, ...]
    responses: tuple[tuple[str, ...], ...]
    faults: Mapping[str, frozenset[int]]
    samples_MQN: NDArray[np.float32]

    @property
    def reward_models(self) -> tuple[str, ...]:
        """Names of the reward models, the best last, and `label`."""
        return (*(f"rm-{m:02d}" for m in range(len(self.scores_MPR) - 1)), "label")

    @property
    def categories(self) -> tuple[str, ...]:
        return tuple(_CATEGORY[subset] for subset in self.subsets)

    @property
    def texts(self) -> Texts:
        return Texts(self.prompts, self.responses)

    def cube(self, *, labelled: bool = True) -> ScoreCube:
        """With the label as the only golden, or without it: every reward model in turn."""
        last = None if labelled else -1
        names = self.reward_models[:last]
        return ScoreCube(
            self.scores_MPR[:last],
            names,
            tuple(f"item-{p:03d}" for p in range(len(self.prompts))),
            self.categories,
            self.subsets,
            self.responses_P,
            tuple("golden" if name == "label" else None for name in names) if labelled else None,
        )

    def values(self, n: int = 4) -> PolicyValues:
        """Best-of-n against each reward model, without the label."""
        return best_of_n_policies(self.samples_MQN[:-1], n, reward_models=self.reward_models[:-1])

    def frame(self) -> pl.DataFrame:
        """One response a row, as a file of scores has them: the test set, then the prompts on which policies act."""
        rows = []
        for p, texts in enumerate(self.responses):
            for r, text in enumerate(texts):
                about = {"prompt_id": f"item-{p:03d}", "response_id": f"r{r}", "split": "rm_test"}
                about |= {"category": self.categories[p], "subset": self.subsets[p]}
                scores = dict(zip(self.reward_models, self.scores_MPR[:, p, r].tolist(), strict=True))
                rows.append(about | {"prompt": self.prompts[p], "response": text} | scores)
        for q in range(self.samples_MQN.shape[1]):
            for n in range(self.samples_MQN.shape[2]):
                about = {"prompt_id": f"task-{q:03d}", "response_id": f"r{n}", "split": "rl_test"}
                about |= {"category": "Skills", "subset": "plain", "prompt": f"Task {q}", "response": f"Try {n} of {q}"}
                rows.append(about | dict(zip(self.reward_models, self.samples_MQN[:, q, n].tolist(), strict=True)))
        return pl.DataFrame(rows)


def faulty_set(M: int = 20, each: int = 125, *, seed: int = 0, flipped: float = 0.05) -> FaultySet:
    """`each` items in every subset; all faults are drawn by the seed. `flipped` is the share of all labels."""
    rng = np.random.default_rng((23, seed))
    P, R = each * len(SUBSETS), 4
    subsets = tuple(name for name in SUBSETS for _ in range(each))
    responses_P = np.where(np.arange(P) % 2 == 0, 2, R)
    ability_M = np.sort(np.exp(rng.uniform(np.log(0.3), np.log(2.5), M)))
    quality_PR = rng.normal(size=(P, R))
    quality_PR[:, 0] = quality_PR[:, 1:].max(axis=1, where=np.arange(1, R) < responses_P[:, None], initial=-9.0)
    quality_PR[:, 0] += np.array([_GAP[name] for name in subsets]) * (0.5 + rng.random(P))
    quality_PR[[name == "noise" for name in subsets]] = 0.0
    scores = ability_M[:, None, None] * quality_PR + rng.normal(size=(M, P, R))
    label_PR = np.zeros((P, R))
    label_PR[:, 0] = 1.0
    prompts = [" ".join(rng.choice(_WORDS, 12)) + f" {p}?" for p in range(P)]
    responses = [[f"answer {r} to {p}" for r in range(count)] for p, count in enumerate(responses_P.tolist())]

    drawn = rng.permutation(2 * each)  # of `plain` and `hard`
    flipped_items, rest = np.split(drawn, [round(flipped * P)])
    label_PR[flipped_items, 0], label_PR[flipped_items, 1] = 0.0, 1.0
    tied, undefined, rest = np.split(rest, [10, 20])
    label_PR[undefined] = 1.0
    for p in tied.tolist():
        scores[:, p, 1] = scores[:, p, 0]  # a reward model gives one text one score
        responses[p][1] = responses[p][0]
    repeated = []
    for first, second in zip(*np.split(np.sort(rest[: min(40, len(rest) // 2 * 2)]), 2), strict=True):
        responses_P[second] = responses_P[first]
        scores[:, second], label_PR[second] = scores[:, first], label_PR[first]
        prompts[second], responses[second] = prompts[first], responses[first]
        repeated.append(int(second))

    scores_MPR = np.concatenate([scores, label_PR[None]]) * (np.arange(R) < responses_P[:, None])
    return FaultySet(
        scores_MPR=scores_MPR.astype(np.float32),
        responses_P=responses_P,
        subsets=subsets,
        prompts=tuple(prompts),
        responses=tuple(map(tuple, responses)),
        faults={
            "suspect label": frozenset(flipped_items.tolist()),
            "same responses": frozenset(tied.tolist()),
            "undefined": frozenset(undefined.tolist()),
            "redundant": frozenset(repeated),
        },
        samples_MQN=_samples(rng, ability_M),
    )


def _samples(rng: np.random.Generator, ability_M: NDArray[np.float64], Q: int = 100, N: int = 8) -> NDArray[np.float32]:
    """Scores of the initial policy's samples to Q more prompts, and which of them is the best."""
    quality_QN = rng.normal(size=(Q, N))
    scores = ability_M[:, None, None] * quality_QN + rng.normal(size=(len(ability_M), Q, N))
    best_QN = quality_QN == quality_QN.max(axis=1, keepdims=True)
    return np.concatenate([scores, best_QN[None]]).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE.parquet")
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    faulty_set(arguments.models, seed=arguments.seed).frame().write_parquet(arguments.file)


if __name__ == "__main__":
    main()
