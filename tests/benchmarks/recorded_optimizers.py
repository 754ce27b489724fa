"""How well each optimiser of the recorded run optimises: gain, KL, efficiency, finished share and time of a policy.

    python -m tests.benchmarks.recorded_optimizers [--print]

Of those reward models that every optimiser has a policy against, under their own scores on the RL test: the mean gain
in standard deviations of π_0's scores within prompts, KL from π_0 (best-of-n's is its bound), and gain² / (2·KL), which
is 1 for an ideal tilt of normal rewards. All is computed from what the run stored; writes docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from pipeline.runs import exchange
from tests.benchmarks.document import insert
from warehouse import reads, store
from warehouse.metrics.cube import ScoreCube, spread_within_prompts
from warehouse.stats.bootstrap import Estimate
from warehouse.store import Connection
from warehouse.study.curves.gain_curves import gain_curves

RUN = "recorded"
OPTIMIZERS = {"bon": "best-of-{:g}", "tilted": "tilted, λ = {:g}", "rloo": "RLOO, step {:g}", "ppo": "PPO, step {:g}"}
OPTIMIZERS |= {"sft": "SFT on best-of-n, epoch {:g}"}


class Row(NamedTuple):
    """Policies of one optimiser at one strength: how many, mean own gain in sd, mean KL in nats, finished share."""

    policy: str
    policies: int
    gain: Estimate
    kl: float
    finished: float

    @property
    def efficiency(self) -> float:
        return (self.gain.value or 0.0) ** 2 / (2 * self.kl)


def trained_by_all(connection: Connection) -> list[str]:
    """The reward models that every optimiser has a policy against."""
    each = [set(reads.policies.of_optimizer(connection, RUN, name)["reward_model_id"]) for name in OPTIMIZERS]
    return sorted(set.intersection(*each))


def rows(connection: Connection, optimizer: str, models: Sequence[str], cube: ScoreCube) -> Iterator[Row]:
    """An optimiser's policies against these reward models, at each strength above none; `cube` has π_0's scores."""
    curves = reads.values.value_curves(connection, RUN, optimizer, samples=lambda: cube).of_reward_models(models)
    gains = gain_curves(curves, spread_within_prompts(cube.of_reward_models(models))).curves["proxy"].gains
    shares = reads.policies.of_optimizer(connection, RUN, optimizer).filter(pl.col("reward_model_id").is_in(models))
    for strength, gain, kl_M in zip(curves.strengths, gains, curves.kl_SM, strict=True):
        if kl_M.mean() > 0:
            share = shares.filter(strength=strength)["finished_share"].to_numpy()
            yield Row(OPTIMIZERS[optimizer].format(strength), len(share), gain, kl_M.mean(), share.mean())


def section(connection: Connection) -> str:
    """What the page says, with the table."""
    models = trained_by_all(connection)
    policies = connection.execute("SELECT count(*) FROM ppo_run WHERE run_id = ?", [RUN]).pl().item()
    host, timings = connection.execute("SELECT host, timings FROM run WHERE run_id = ?", [RUN]).pl().row(0)
    machine, seconds = json.loads(host), json.loads(timings)["ppo"]["wall_s"]
    lines = [
        f"{len(models)} reward models: {', '.join(models)}.",
        f"The {policies} policies that the run trained took {seconds / policies / 60:.1f} minutes each of a machine's",
        f"{machine['cores']} cores ({machine['processor']}), test responses and their scores included.",
        "",
        "| policy | policies | gain, sd | KL, nats | gain²/(2·KL) | finished |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    cube = reads.scores.initial_scores(connection, RUN, "rl_test")
    for optimizer in OPTIMIZERS:
        for row in rows(connection, optimizer, models, cube):
            gain = f"{row.gain.value:.2f} ({row.gain.low:.2f} to {row.gain.high:.2f})"
            figures = (row.policy, str(row.policies), gain, f"{row.kl:.2f}", f"{row.efficiency:.3f}")
            lines.append(f"| {' | '.join(figures)} | {row.finished:.2f} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--print", action="store_true", help="print the section instead of writing it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        exchange.publish_recorded(Path(home))
        with store.open_read_only(Path(home)) as connection:
            text = section(connection)
    if arguments.print:
        print(text)
    else:
        insert("recorded optimisers", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
