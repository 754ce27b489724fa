"""How well small trained policies optimise: gain, KL, efficiency, finished share and CPU time, beside what is possible.

    python -m tests.benchmarks.optimizers RUN [--rewards transparent,A,B,C] [--repeats 2] [--prompts 96] [--samples 4]

RUN is the folder of a run, `<data folder>/runs/<id>`; where there is none, it is begun with the settings of
`tests/benchmarks/optimizers.toml`. What it lacks up to its reward models is made first. Each algorithm of its profile
trains a policy, with each seed, against a transparent reward and some reward models; then all are compared on held-out
prompts: the gain in standard deviations of π_0's scores within prompts, KL from π_0 by k3, and gain² / (2·KL), which is
1 for an ideal tilt of normal rewards. Best-of-n and tilting, from the same number of samples of π_0 for each prompt,
say what was possible. Prints a table. Two processes, each with some of the rewards, share two cores well: start the
second when the first has made what the run lacks.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.config import Algorithm, PPOSettings, load_profile
from pipeline.context import Context
from pipeline.errors import PipelineError
from pipeline.flow import execute
from pipeline.models.optimizers import OPTIMIZERS
from pipeline.models.optimizers.trained_policy import TrainedPolicy
from pipeline.models.performance.prompt_states import PromptStates
from pipeline.models.reward_model import RewardModel
from pipeline.models.rollout import Rollout
from pipeline.models.trunk import shared_layers
from pipeline.runs import create, open_run
from pipeline.scoring.scorer import Scorer
from pipeline.stages import STAGES, pool
from pipeline.stages.checkpoints import Job, rollout_prompts
from warehouse.metrics.policies.best_of_n import best_of_n_kl_bound, best_of_n_own_values

PROFILE = Path(__file__).with_suffix(".toml")
TRANSPARENT = "transparent"
_INITIAL = 32
"""Samples of π_0 to each held-out prompt."""


class Result(NamedTuple):
    """One policy: gain in standard deviations with its standard error, KL in nats, finished share, tokens, seconds."""

    optimizer: str
    reward: str
    gain: float
    error: float
    kl: float
    finished: float
    tokens: float
    seconds: float

    @property
    def efficiency(self) -> float:
        return self.gain**2 / (2 * self.kl) if self.gain > 0 and self.kl > 0 else 0.0


def transparent(texts: Sequence[str]) -> NDArray[np.float64]:
    """Share of words of six letters or more: a reward that anybody can check, and that says nothing about finishing.

    It is bounded. The mean length of a word is not: its policy writes endless words, 37 deviations and 25 nats away.
    """
    return np.array([np.mean([sum(map(str.isalpha, word)) >= 6 for word in text.split() or [""]]) for text in texts])


def prepared(run: Path) -> None:
    """Make what the run lacks up to its reward models, and the pool of SFT."""
    data = run.parent.parent
    directory = open_run(data, run.name) if run.is_dir() else create(data, load_profile(str(PROFILE)), run.name)
    execute(directory, stages=STAGES[: STAGES.index("test_responses")])
    if directory.config.ppo is not None and "sft" in directory.config.ppo.algorithms:
        with directory.working():
            pool.make(Context(directory, _Silent()))


@dataclass(frozen=True)
class Bench:
    """The held-out prompts with π_0's rollout, and how to train and score policies of a run."""

    context: Context
    settings: PPOSettings
    prompts: list[str]
    states: dict[int, PromptStates]
    samples: int

    @property
    def texts(self) -> list[str]:
        return self.context.run.read("prompt").filter(split="rm_train").sort("prompt_id")["text"].to_list()

    def policy(self, algorithm: Algorithm, reward: str, seed: int) -> TrainedPolicy:
        """A policy at π_0."""
        model, own = self.context.base_model, self.settings.of(algorithm)
        reward_model = RewardModel(model, 0) if reward == TRANSPARENT else self._scorer.reward_model(reward)
        layers = shared_layers(model, own.trainable_layers, reward_model.trainable_layers)
        score: Callable[[Rollout], Tensor] | None = None
        if reward == TRANSPARENT:
            score = lambda rollout: torch.from_numpy(transparent(rollout.texts)).float()  # noqa: E731
        return OPTIMIZERS[algorithm](
            model,
            reward_model,
            own,
            kl_coefficient=own.kl_coefficient,
            temperature=self.context.config.policy.temperature,
            max_new_tokens=self.context.config.policy.max_new_tokens,
            seed=seed,
            score=score,
            states=self.states.setdefault(layers, PromptStates(model, layers)),
        )

    @property
    def _scorer(self) -> Scorer:
        return Scorer(self.context)

    def trained(self, policy: TrainedPolicy, algorithm: Algorithm, reward: str) -> Iterator[int]:
        """Train it; yields the number of steps after each. Policies of SFT with another seed share their responses."""
        job = Job(reward, policy.kl_coefficient, "", algorithm)
        stored = pool.best(self.context, policy.settings, job, policy) if policy.takes_pool else None
        for step in range(policy.settings.steps):
            distinct = rollout_prompts(self.context, self.texts, policy.settings, step)
            policy.step([text for text in distinct for _ in range(policy.settings.samples_per_prompt)], stored)
            yield step + 1

    def held_out(self, policy: TrainedPolicy, samples: int, seed: int) -> list[Rollout]:
        """So many responses to each held-out prompt."""
        size = self.context.config.policy.batch_responses
        asked = [prompt for prompt in self.prompts for _ in range(samples)]
        parts = [asked[start : start + size] for start in range(0, len(asked), size)]
        return [policy.sample(part, seed + number) for number, part in enumerate(parts)]

    def scores(self, policy: TrainedPolicy, rollouts: Sequence[Rollout], reward: str) -> NDArray[np.float64]:
        """Scores `[P, samples]`."""
        if reward == TRANSPARENT:
            values = [transparent(rollout.texts) for rollout in rollouts]
        else:
            values = [policy.scores(rollout, {reward: policy.judge})[reward].astype(float) for rollout in rollouts]
        return np.concatenate(values).reshape(len(self.prompts), -1)


def measured(
    bench: Bench, policy: TrainedPolicy, reward: str, initial_PN: NDArray[np.float64], name: str, seconds: float
) -> Result:
    """A policy on fresh responses to the held-out prompts."""
    rollouts = bench.held_out(policy, bench.samples, seed=1_000)
    own_PN = bench.scores(policy, rollouts, reward)
    spread = float(initial_PN.std(axis=1, ddof=1).mean())
    gain_P = (own_PN.mean(axis=1) - initial_PN.mean(axis=1)) / spread
    kl = torch.cat([policy.divergence(rollout)[1] for rollout in rollouts]).mean().item()
    finished = np.mean([rollout.finished_B.float().mean() for rollout in rollouts])
    tokens = np.mean([rollout.lengths_B.float().mean() for rollout in rollouts])
    error = gain_P.std(ddof=1) / np.sqrt(len(gain_P))
    return Result(name, reward, float(gain_P.mean()), float(error), kl, float(finished), float(tokens), seconds)


def possible(reward: str, initial_PN: NDArray[np.float64]) -> list[Result]:
    """Best-of-n and tilting from samples of π_0, as what could have been gained at a KL."""
    spread, N = float(initial_PN.std(axis=1, ddof=1).mean()), initial_PN.shape[1]
    own_N = best_of_n_own_values(initial_PN[None])[:, 0]
    results = []
    for n in (2, 4, 8, 16):
        gain = (own_N[n - 1] - own_N[0]) / spread
        results.append(Result(f"best-of-{n}", reward, float(gain), 0.0, best_of_n_kl_bound(n), np.nan, np.nan, 0.0))
    for strength in (0.5, 1.0, 1.5):
        weights_PN = np.exp(strength * (initial_PN - initial_PN.max(axis=1, keepdims=True)) / spread)
        weights_PN /= weights_PN.sum(axis=1, keepdims=True)
        kl = float((weights_PN * np.log(np.maximum(weights_PN * N, 1e-300))).sum(axis=1).mean())
        gain = float(((weights_PN - 1 / N) * initial_PN).sum(axis=1).mean() / spread)
        results.append(Result(f"tilted, λ = {strength:g}", reward, gain, 0.0, kl, np.nan, np.nan, 0.0))
    return results


def opened(run: Path, settings: PPOSettings | None, prompts: int, samples: int) -> Bench:
    """A run's models and prompts; `settings` replace its profile's."""
    directory = open_run(run.parent.parent, run.name)
    chosen = settings or directory.config.ppo
    if chosen is None:
        raise SystemExit(f"{run} trains no policies: its profile has no [ppo]")
    texts = directory.read("prompt").filter(split="rl_test").sort("prompt_id")["text"].to_list()
    places = np.linspace(0, len(texts), min(prompts, len(texts)), endpoint=False).astype(int)
    return Bench(Context(directory, _Silent()), chosen, [texts[place] for place in places], {}, samples)


class _Silent:
    """A progress report that nobody reads."""

    def plan(self, total: int, unit: str, done: int = 0) -> None: ...

    def advance(self, count: int = 1) -> None: ...

    def drop(self, count: int) -> None: ...

    def say(self, message: str) -> None: ...


def compared(bench: Bench, rewards: Sequence[str], repeats: int) -> Iterator[Result]:
    """What was possible with every reward, and every algorithm of the settings against it, with so many seeds."""
    initial: dict[int, list[Rollout]] = {}  # π_0's responses, for all rewards whose reward models share a trunk
    for reward in rewards:
        plain = bench.policy(bench.settings.algorithms[0], reward, seed=0)
        if plain.layers not in initial:
            initial[plain.layers] = bench.held_out(plain, _INITIAL, seed=7)
        initial_PN = bench.scores(plain, initial[plain.layers], reward)
        yield from possible(reward, initial_PN)
        for algorithm in bench.settings.algorithms:
            if algorithm == "sft" and reward == TRANSPARENT:
                continue  # its pool is scored by the run's own reward models alone
            for repeat in range(repeats):
                policy = bench.policy(algorithm, reward, seed=repeat)
                begun = time.process_time()  # of one core, whatever else runs beside it
                for _ in bench.trained(policy, algorithm, reward):
                    pass
                seconds = time.process_time() - begun
                yield measured(bench, policy, reward, initial_PN, f"{algorithm}, seed {repeat}", seconds)


def line(result: Result) -> str:
    """A row of the table; what does not apply is left blank."""
    rest = (
        f"{value:{form}}" if np.isfinite(value) and (value or form != ".0f") else ""
        for value, form in ((result.finished, ".2f"), (result.tokens, ".1f"), (result.seconds, ".0f"))
    )
    gain = f"{result.gain:.2f}" + (f" ± {result.error:.2f}" if result.error else "")
    row = (result.reward, result.optimizer, gain, f"{result.kl:.2f}", f"{result.efficiency:.3f}", *rest)
    return f"| {' | '.join(row)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run, there or to be begun")
    names = f"{TRANSPARENT},flip-0.00,flip-0.20,length-0.50"
    parser.add_argument(
        "--rewards", default=names, help="reward models' ids, with commas between (default: %(default)s)"
    )
    parser.add_argument("--repeats", type=int, default=2, help="seeds of each policy")
    parser.add_argument("--prompts", type=int, default=96, help="held-out prompts")
    parser.add_argument("--samples", type=int, default=4, help="responses to each of them")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch: policies are trained side by side")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.run.parent.name != "runs":
        parser.error(f"{arguments.run} is not the folder of a run: give <data folder>/runs/<id>")
    try:
        prepared(arguments.run)
    except PipelineError as error:
        parser.error(str(error))
    bench = opened(arguments.run, None, arguments.prompts, arguments.samples)
    print(
        f"{arguments.run.name}, {len(bench.prompts)} held-out prompts × {arguments.samples} responses; "
        f"{arguments.threads} thread a policy; best-of-n and tilting by {_INITIAL} samples of π_0.\n\n"
        "| reward | policy | gain, sd | KL, nats | gain²/(2·KL) | finished | tokens | CPU, s |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    for result in compared(bench, arguments.rewards.split(","), arguments.repeats):
        print(line(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
