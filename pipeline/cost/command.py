"""`righttree run --plan`: its options, and the page it prints: what the run does, what it costs, what is missing."""

from __future__ import annotations

import argparse
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.backends.openrlhf.launch import MODULE, PYTHON, some_places, train_ppo_arguments
from pipeline.backends.ray.options import HERE, EngineOptions
from pipeline.config import Config
from pipeline.cost import estimate
from pipeline.cost.costs import Bytes, Costs, Operations, Rates, shown, total
from pipeline.cost.counts import PAPER_PAIRS, counts
from pipeline.cost.model_size import model_size
from pipeline.cost.needs import GPUS, Gpu, needs
from pipeline.errors import InvalidSetting
from pipeline.stages import STAGES

_GPUS = 8
_SHARES = {name: getattr(Rates(), name) for name in ("training", "reading", "sampling")}
_COUNTS = {
    "pairs": f"preference pairs (default: an estimate; for pairs of files, the paper's {PAPER_PAIRS:,})",
    "prompt_tokens": "tokens of a prompt (default: the longest)",
    "response_tokens": "tokens of a response (default: the profile's max_new_tokens)",
    "pair_tokens": "tokens of a pair's prompt and response (default: the longest)",
}
_POSITIVE = {"gpus", "gpu_tflops", "gpu_memory", "parameters", *_COUNTS, *(f"{name}_share" for name in _SHARES)}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add `--plan` and the assumptions that can be replaced."""
    group = parser.add_argument_group("planning")

    def number(name: str, kind: type, what: str) -> None:
        group.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar="N" if kind is int else "X", help=what)

    group.add_argument(
        "--plan",
        action="store_true",
        help="dry run: show stages, commands and estimated GPU hours, memory and disk space with their arithmetic, and "
        "what is missing on this machine",
    )
    group.add_argument("--gpu", choices=[*GPUS], default="h100", help="kind of GPU to plan for (default: h100)")
    number("gpus", int, "number of GPUs (default: the profile's, else 8)")
    number("gpu_tflops", float, "its peak in dense bfloat16 products, in TFLOP/s (default: from its data sheet)")
    number("gpu_memory", float, "its memory in GB (default: from its data sheet)")
    for name, share in _SHARES.items():
        number(f"{name}_share", float, f"share of the peak that {name} reaches (default: {share:g})")
    number("parameters", float, "weights of the model (default: read from its files)")
    for name, what in _COUNTS.items():
        number(name, int, what)


@dataclass(frozen=True)
class Plan:
    """The costs of a run on a kind of GPU."""

    costs: Costs
    gpu: Gpu

    @property
    def gpu_hours(self) -> float:
        """Hours of one GPU."""
        return sum(map(self.hours_of, self._terms))

    @property
    def hours(self) -> float:
        """From beginning to end, if GPUs that work in parallel have equal shares."""
        return sum(self.hours_of(term) / term.gpus for term in self._terms)

    def hours_of(self, term: Operations) -> float:
        """Hours of one GPU."""
        return term.at_peak / (self.gpu.tflops * 1e12) / 3600

    @property
    def _terms(self) -> list[Operations]:
        return [term for terms in self.costs.stages.values() for term in terms]


def planned(config: Config, chosen: argparse.Namespace) -> Plan:
    """The plan of a run. Raises InvalidSetting for an impossible option or a model of unknown size."""
    for name, value in vars(chosen).items():
        if name in _POSITIVE and value is not None and not value > 0:
            raise InvalidSetting(f"--{name.replace('_', '-')} is {value}; give a number above 0", name)
    shares = {name: getattr(chosen, f"{name}_share") or share for name, share in _SHARES.items()}
    for name, share in shares.items():
        if share > 1:
            raise InvalidSetting(f"--{name}-share is {share}; give a share of the peak, at most 1", name)
    gpu = GPUS[chosen.gpu]
    costs = Costs(
        config,
        model_size(config.policy.model, chosen.parameters),
        counts(config, **{name: getattr(chosen, name) for name in _COUNTS}),
        Rates(**shares),
        gpus=chosen.gpus or (config.ppo.openrlhf.gpus if config.ppo else _GPUS),
        ray=chosen.engine == "ray",
    )
    return Plan(costs, Gpu(gpu.name, chosen.gpu_tflops or gpu.tflops, chosen.gpu_memory or gpu.memory_gb))


def text(data: Path, plan: Plan, chosen: argparse.Namespace) -> str:
    """The page: what the run does, what it costs, and what is missing on this machine."""
    parts = (_head(plan.costs, _command(chosen)), _compute(plan), _memory(plan), _disk(plan), _here(data, plan))
    return "\n\n".join("\n".join(part) for part in parts)


def _command(chosen: argparse.Namespace) -> str:
    """The command that starts the run."""
    given = {"--profile": chosen.profile, "--seed": chosen.seed, "--sampler": chosen.sampler, "--run-id": chosen.run_id}
    options = [str(part) for name, value in given.items() if value is not None for part in (name, value)]
    engine = EngineOptions.given(chosen)
    return shlex.join(["righttree", "run", *options, *(engine.arguments() if engine != HERE else [])])


def _head(costs: Costs, command: str) -> Iterator[str]:
    config, counts, size = costs.config, costs.counts, costs.size
    yield f"plan of profile {config.profile}; nothing is started"
    yield f"  command: {command}"
    yield f"  stages:  {', '.join(STAGES)}"
    for algorithm in config.ppo.algorithms if config.ppo and config.ppo.engine == "openrlhf" else ():
        arguments = train_ppo_arguments(config, some_places(algorithm), algorithm=algorithm)
        yield f"  ppo, one command per policy, {algorithm}: {shlex.join([f'${PYTHON}', '-m', MODULE, *arguments])}"
    yield (
        f"  model:   {config.policy.model}: {shown(size.parameters)} weights, {size.layers} blocks, width {size.hidden}"
        f"; sampler {config.policy.sampler}"
    )
    prompts = ", ".join(f"{count:,} {split}" for split, count in counts.prompts.items())
    yield f"  data:    at most {prompts} prompts; {counts.pairs:,} pairs; {len(config.reward_models.ids)} reward models"
    yield (
        f"  lengths: prompt {counts.prompt_tokens:,}, response {counts.response_tokens:,}, text of a pair "
        f"{counts.pair_tokens:,} tokens; by default the longest that the settings allow"
    )


def _compute(plan: Plan) -> Iterator[str]:
    gpu, costs = plan.gpu, plan.costs
    yield f"GPU hours = operations ÷ ({gpu.tflops:g} TFLOP/s of one {gpu.name} × share of it reached × 3600 s)"
    for stage, terms in costs.stages.items():
        yield f"  {stage:<16} {_hours(sum(map(plan.hours_of, terms))):>12}"
        for term in terms:
            yield f"    {term.what}: {term.text} = {shown(term.value)}"
            hours = plan.hours_of(term)
            parallel = f"; {_hours(hours / term.gpus)} on {term.gpus} GPUs" if term.gpus > 1 else ""
            yield f"      ÷ ({gpu.tflops:g}e12 × {term.share:g} × 3600) = {_hours(hours)}{parallel}"
    yield f"  {'in all':<16} {_hours(plan.gpu_hours):>12}; {_hours(plan.hours)} from beginning to end, at best"
    if costs.gpus > 1 and not costs.ray:
        by_ray = replace(plan, costs=replace(costs, ray=True))
        yield f"  --engine ray on {costs.gpus} GPUs computes parts in parallel: {_hours(by_ray.hours)} at best"


def _hours(number: float) -> str:
    return f"{number:,.0f} h" if number >= 100 else f"{number:.3g} h"


def _memory(plan: Plan) -> Iterator[str]:
    yield f"memory of a GPU, of {plan.gpu.memory_gb:g} GB"
    for stage, terms in plan.costs.memory.items():
        fits = "" if total(terms) <= plan.gpu.memory_gb * 1e9 else f": more than one {plan.gpu.name} has"
        yield f"  {stage:<16} {_gigabytes(total(terms)):>12}{fits}"
        yield from map(_size, terms)


def _disk(plan: Plan) -> Iterator[str]:
    yield f"disk {_gigabytes(total(plan.costs.disk))}"
    yield from map(_size, (term for term in plan.costs.disk if term.value))


def _size(term: Bytes) -> str:
    return f"    {term.what}: {term.text} = {_gigabytes(term.value)}"


def _gigabytes(size_bytes: float) -> str:
    """Decimal gigabytes, the unit of GPU data sheets."""
    return f"{size_bytes / 1e9:,.1f} GB"


def _here(data: Path, plan: Plan) -> Iterator[str]:
    yield "this machine"
    costs = plan.costs
    disk_bytes = total(costs.disk)
    for finding in needs(data, costs.config, plan.gpu, gpus=costs.gpus, ray=costs.ray, disk_bytes=disk_bytes):
        yield textwrap.indent(str(finding), "  ")
    yield f"  estimate: {estimate.text(estimate.estimate(data, costs.config)).splitlines()[0]}"
