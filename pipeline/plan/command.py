"""`righttree run --plan`: the options that change what it assumes, and the page that it prints."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline import estimate
from pipeline.cluster.options import HERE, EngineOptions
from pipeline.config import Config
from pipeline.errors import InvalidSetting
from pipeline.openrlhf import MODULE, train_ppo_arguments
from pipeline.openrlhf_launch import PYTHON, some_places
from pipeline.plan.assumptions import GPUS, Assumptions, Gpu, longest_pair_tokens, longest_prompt_tokens
from pipeline.plan.compute import Stage, stages
from pipeline.plan.counts import Counts, counts
from pipeline.plan.disk import disk
from pipeline.plan.figures import Sum, gigabytes, shown
from pipeline.plan.memory import memory
from pipeline.plan.model_size import ModelSize, model_size
from pipeline.plan.needs import needs
from pipeline.stages import STAGES

_GPUS = 8
_SHARES = {"training": 0.4, "reading": 0.4, "sampling": 0.1}


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--plan`, and what it takes beside the profile."""
    group = parser.add_argument_group("planning")

    def number(name: str, kind: type, what: str) -> None:
        group.add_argument(name, type=kind, metavar="N" if kind is int else "X", help=what)

    group.add_argument(
        "--plan",
        action="store_true",
        help="print the stages, the commands, GPU hours, memory and disk with their arithmetic, and what this machine "
        "lacks; start nothing",
    )
    group.add_argument("--gpu", choices=[*GPUS], default="h100", help="the GPU that is planned for (default: h100)")
    number("--gpus", int, "how many of them work side by side (default: the profile's, 8)")
    number("--gpu-tflops", float, "its peak in dense bfloat16 products, TFLOP/s (default: its data sheet's)")
    number("--gpu-memory", float, "its memory in GB (default: its data sheet's)")
    for name, share in _SHARES.items():
        number(f"--{name}-share", float, f"share of the peak that {name} reaches (default: {share:g})")
    number("--parameters", float, "weights of the model (default: what is known of it, or its files tell)")
    number("--pairs", int, "preference pairs (default: the most there can be; of files, the paper's 112,400)")
    number("--prompt-tokens", int, "tokens of a prompt (default: the longest)")
    number("--response-tokens", int, "tokens of a response (default: the profile's max_new_tokens)")
    number("--pair-tokens", int, "tokens of a pair's prompt and response (default: the longest)")


@dataclass(frozen=True)
class Plan:
    """All that is computed of a run before it is started."""

    config: Config
    size: ModelSize
    there: Counts
    assumed: Assumptions

    @property
    def stages(self) -> list[Stage]:
        return stages(self.config, self.size, self.there, self.assumed)

    @property
    def gpu_hours(self) -> float:
        return sum(stage.gpu_hours(self.assumed.gpu.tflops) for stage in self.stages)

    @property
    def hours(self) -> float:
        """From the beginning to the end, at best."""
        return sum(stage.hours(self.assumed.gpu.tflops) for stage in self.stages)

    @property
    def memory(self) -> dict[str, Sum]:
        return memory(self.config, self.size, self.assumed)

    @property
    def disk(self) -> Sum:
        return disk(self.config, self.size, self.there, self.assumed)


def planned(config: Config, chosen: argparse.Namespace) -> Plan:
    """The plan of a run. Raises InvalidSetting for an option that cannot be, or a model whose size is not known."""
    for name, value in vars(chosen).items():
        if name in _POSITIVE and value is not None and not value > 0:
            raise InvalidSetting(f"--{name.replace('_', '-')} is {value}; give a number above 0", name)
    known = GPUS[chosen.gpu]
    shares = {name: getattr(chosen, f"{name}_share") or share for name, share in _SHARES.items()}
    for name, share in shares.items():
        if share > 1:
            raise InvalidSetting(f"--{name}-share is {share}; give a share of the peak, at most 1", name)
    assumed = Assumptions(
        gpu=Gpu(known.name, chosen.gpu_tflops or known.tflops, chosen.gpu_memory or known.memory_gb),
        gpus=chosen.gpus or (config.ppo.openrlhf.gpus if config.ppo else _GPUS),
        ray=chosen.engine == "ray",
        training_share=shares["training"],
        reading_share=shares["reading"],
        sampling_share=shares["sampling"],
        prompt_tokens=chosen.prompt_tokens or longest_prompt_tokens(config),
        response_tokens=chosen.response_tokens or config.policy.max_new_tokens,
        pair_tokens=chosen.pair_tokens or longest_pair_tokens(config),
    )
    size = model_size(config.policy.model, chosen.parameters)
    return Plan(config, size, counts(config, chosen.pairs), assumed)


_POSITIVE = {"gpus", "gpu_tflops", "gpu_memory", "parameters", "pairs", "prompt_tokens", "response_tokens"} | {
    "pair_tokens",
    *(f"{name}_share" for name in _SHARES),
}


def text(data: Path, plan: Plan, chosen: argparse.Namespace) -> str:
    """The page: what is done, what it takes, what is missing."""
    parts = (_head(plan, _command(chosen)), _compute(plan), _memory(plan), _disk(plan), _here(data, plan))
    return "\n\n".join("\n".join(part) for part in parts)


def _command(chosen: argparse.Namespace) -> str:
    """What starts the run."""
    given = {"--profile": chosen.profile, "--seed": chosen.seed, "--sampler": chosen.sampler, "--run-id": chosen.run_id}
    options = [str(part) for name, value in given.items() if value is not None for part in (name, value)]
    engine = EngineOptions.given(chosen)
    return shlex.join(["righttree", "run", *options, *(engine.arguments() if engine != HERE else [])])


def _head(plan: Plan, command: str) -> Iterator[str]:
    config, there, size, assumed = plan.config, plan.there, plan.size, plan.assumed
    yield f"plan of profile {config.profile}; nothing is started"
    yield f"  command: {command}"
    yield f"  stages:  {', '.join(STAGES)}"
    if config.ppo is not None and config.ppo.engine == "openrlhf":
        for algorithm in config.ppo.algorithms:
            arguments = train_ppo_arguments(config, some_places(algorithm), algorithm=algorithm)
            yield f"  ppo, a command a policy, {algorithm}: {shlex.join([f'${PYTHON}', '-m', MODULE, *arguments])}"
    yield (
        f"  model:   {config.policy.model}: {shown(size.parameters)} weights, {size.layers} blocks, width {size.hidden}"
        f"; sampler {config.policy.sampler}"
    )
    prompts = ", ".join(f"{count:,} {split}" for split, count in there.prompts.items())
    yield f"  data:    {prompts} prompts at most; {there.pairs:,} pairs; {len(config.reward_models.ids)} reward models"
    yield (
        f"  lengths: prompt {assumed.prompt_tokens:,}, response {assumed.response_tokens:,}, text of a pair "
        f"{assumed.pair_tokens:,} tokens; unless given, the longest that the settings allow"
    )


def _compute(plan: Plan) -> Iterator[str]:
    gpu = plan.assumed.gpu
    yield f"GPU hours = operations ÷ ({gpu.tflops:g} TFLOP/s of one {gpu.name} × share of it reached × 3600 s)"
    for stage in plan.stages:
        yield f"  {stage.name:<16} {_hours(stage.gpu_hours(gpu.tflops)):>12}"
        for term in stage.terms:
            if term.operations.value:
                yield f"    {term.what}: {term.operations.text} = {shown(term.operations.value)}"
                needed = term.gpu_hours(gpu.tflops)
                beside = f"; {_hours(needed / term.gpus)} on {term.gpus} GPUs" if term.gpus > 1 else ""
                yield f"      ÷ ({gpu.tflops:g}e12 × {term.share:g} × 3600) = {_hours(needed)}{beside}"
    total, gpus = plan.gpu_hours, plan.assumed.gpus
    yield f"  {'in all':<16} {_hours(total):>12}; {_hours(plan.hours)} from beginning to end, at best"
    if gpus > 1 and not plan.assumed.ray:
        by_ray = replace(plan, assumed=replace(plan.assumed, ray=True))
        yield f"  --engine ray on {gpus} GPUs makes parts of a stage side by side: {_hours(by_ray.hours)}, at best"


def _hours(number: float) -> str:
    return f"{number:,.0f} h" if number >= 100 else f"{number:.3g} h"


def _memory(plan: Plan) -> Iterator[str]:
    gpu = plan.assumed.gpu
    yield f"memory of a GPU, of {gpu.memory_gb:g} GB"
    for name, needed in plan.memory.items():
        fits = "" if needed.value <= gpu.memory_gb * 1e9 else f": more than one {gpu.name} has"
        yield f"  {name:<16} {gigabytes(needed.value):>12}{fits}"
        yield from _terms(needed)


def _disk(plan: Plan) -> Iterator[str]:
    needed = plan.disk
    yield f"disk {gigabytes(needed.value)}"
    yield from _terms(needed)


def _terms(total: Sum) -> Iterator[str]:
    for what, term in total.terms:
        if term.value:
            yield f"    {what}: {term.text} = {gigabytes(term.value)}"


def _here(data: Path, plan: Plan) -> Iterator[str]:
    yield "this machine"
    for finding in needs(data, plan.config, plan.assumed, plan.disk.value):
        yield f"  {'ok     ' if finding.ok else 'MISSING'} {finding.what}: {finding.found}"
        if not finding.ok:
            yield f"          → {finding.remedy}"
    yield f"  by finished runs: {estimate.text(estimate.estimate(data, plan.config)).splitlines()[0]}"
