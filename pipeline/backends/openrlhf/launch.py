"""How OpenRLHF 0.11 is started: a profile's `[ppo]` as arguments of its `train_ppo_ray`, run in its own environment.

`RIGHTTREE_OPENRLHF_PYTHON` names the interpreter of the environment in which OpenRLHF is installed (it pins its own
versions of everything). With `RIGHTTREE_OPENRLHF_RAY`, the address of a Ray cluster's dashboard, the command is
submitted there: the interpreter and the run's folder have to be at the same paths on its machines. Without it, Ray is
started on this machine for the one policy, whatever cluster runs here.

The prompts of a step are not ours to choose. OpenRLHF shuffles the file of all steps' prompts, with random numbers that
`train.seed` does not fix (`DataLoader(shuffle=True)` in a process that sets no seed). So a prompt that the file has
several times can come twice in a step, and a command with the same seed trains another policy.

OpenRLHF has no flag for these settings, which are therefore not passed on:

- `kl_limit`: a policy that has drifted too far is not stopped. With a KL coefficient of 0 no KL is measured either.
- `value_coefficient`: policy and critic have separate optimisers, so their losses are never added.
- Standardisation of the score by π_0's mean and deviation: rewards are raw scores, so a KL coefficient has to be
  multiplied by π_0's standard deviation of the scores to mean the same as in-process.
- `truncation_penalty`, which a profile for OpenRLHF must not set, and `pool_responses`, which only SFT has.
- `algorithms`, `each`, `reward_models`, `repeats`, `sweep`, `sweep_reward_models`, `engine`, `test_samples`,
  `checkpoint_samples`: several commands, each with settings and a seed of its own, or the use of checkpoints.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Algorithm, Config, PPOSettings
from pipeline.errors import InvalidConfig, ModelUnavailable

VERSION = "0.11.2"
MODULE = "openrlhf.cli.train_ppo_ray"
PYTHON = "RIGHTTREE_OPENRLHF_PYTHON"
RAY = "RIGHTTREE_OPENRLHF_RAY"
_PRINT_FACTS = """
import json, os
from importlib.metadata import version
print(version("openrlhf"))
cpus = json.loads(os.environ.get("RAY_OVERRIDE_RESOURCES", "{}")).get("CPU")
try:
    from ray._private.utils import get_num_cpus
    print(cpus or get_num_cpus())
except ImportError:
    print(cpus or os.cpu_count())
"""
"""Its version, and the CPUs that Ray will find."""
_ANSWER_S = 120
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@%+,-]*")

CLIP_RANGE = (-1_000_000.0, 1_000_000.0)
"""Rewards are clipped to it, in raw scores. OpenRLHF's default, −10 … 10, would hide the overoptimisation of a
policy."""

_ESTIMATORS = {"ppo": "gae", "reinforce++": "reinforce", "rloo": "rloo", "grpo": "group_norm"}
_ADAM = {"adam.betas": (0.9, 0.999), "adam.eps": 1e-5, "lr_scheduler": "constant", "lr_warmup_ratio": 0.0}
"""As in `pipeline/models/optimizers`; OpenRLHF's default learning rate warms up and falls along a cosine."""


@dataclass(frozen=True)
class Places:
    """Where the models and files of one command are.

    - `actor`: folder or hub id of the initial policy. `critic`: of the model that the critic starts from, only for
    `ppo`.
    - `reward`: folder or hub id of a sequence classifier, or the http(s) address of a reward server. OpenRLHF reads
    only answers of the content type `application/json`, and goes on without a reward after others.
    - `prompts`: JSONL, JSON or Parquet with a column `prompt` of plain text; as many rows as all steps have prompts.
    - `checkpoints`: folder for the Hugging Face folders `global_step{step}_hf` and `final`.
    """

    actor: str
    reward: str
    prompts: Path
    checkpoints: Path
    critic: str | None = None


def train_ppo_arguments(
    config: Config,
    places: Places,
    *,
    algorithm: Algorithm = "ppo",
    kl_coefficient: float | None = None,
    seed: int | None = None,
) -> list[str]:
    """Arguments for MODULE, one string each, never for a shell. All models share the GPUs of one machine.

    A step is a global step there: its `batch_responses / samples_per_prompt` prompts are `rollout.batch_size`, the
    responses of one of its `minibatches` are `train.batch_size`. A checkpoint is saved at every multiple of the
    greatest common divisor of the profile's checkpoints, and a restarted command resumes from the last one. GRPO has
    its KL penalty in the loss (k3), the others in the reward (k1). `kl_coefficient` and `seed` replace the profile's.

    Raises InvalidConfig for a profile without `[ppo]` or with settings that OpenRLHF cannot follow: `trainable_layers`
    other than all, a `truncation_score` of 0 or more (it would be a factor there), a `discount` or one sample per
    prompt with RLOO or GRPO, or responses that cannot be split evenly.
    """
    settings = _supported(config, places, algorithm)
    gpus = settings.openrlhf.gpus
    prompts_per_step = settings.batch_responses // settings.samples_per_prompt
    is_url = places.reward.startswith(("http://", "https://"))
    flags: dict[str, object] = {
        "actor.model_name_or_path": places.actor,
        "reward.remote_url" if is_url else "reward.model_name_or_path": places.reward,
        "reward.clip_range": CLIP_RANGE,
        "data.prompt_dataset": places.prompts.absolute(),
        "data.input_key": "prompt",
        "data.apply_chat_template": True,
        "data.max_samples": settings.steps * prompts_per_step,
        "data.max_len": settings.openrlhf.max_prompt_tokens + config.policy.max_new_tokens,  # tokens
        "rollout.max_new_tokens": config.policy.max_new_tokens,
        "rollout.temperature": config.policy.temperature,
        "rollout.batch_size": prompts_per_step,
        "rollout.n_samples_per_prompt": settings.samples_per_prompt,
        "train.batch_size": settings.batch_responses // settings.minibatches,
        "train.max_epochs": settings.epochs,
        "train.seed": config.seed if seed is None else seed,
        "actor.eps_clip": settings.clip_range,
        "algo.advantage.estimator": _ESTIMATORS[algorithm],
        "algo.advantage.gamma": settings.discount,
        "algo.kl.init_coef": settings.kl_coefficient if kl_coefficient is None else kl_coefficient,
        "algo.kl.estimator": "k3" if algorithm == "grpo" else "k1",
        "algo.kl.use_loss": algorithm == "grpo",
        "ckpt.path": places.checkpoints.absolute(),
        "ckpt.output_dir": places.checkpoints.absolute() / "final",
        "ckpt.save_steps": math.gcd(*settings.checkpoints),
        "ckpt.save_hf": True,
        "ckpt.load_enable": True,
        "ckpt.max_num": 2,  # states to resume from: the oldest is removed before the newest is saved; folders all stay
        **_optimizer("actor", settings.actor_learning_rate, settings.clip_norm),
        **{f"{model}.num_gpus_per_node": gpus for model in ("actor", "critic", "reward", "ref")},
        **dict.fromkeys(("train.colocate_all", "vllm.enable_sleep", "ds.enable_sleep"), True),
        "vllm.num_engines": gpus,
        "vllm.gpu_memory_utilization": 0.5,  # a share of the GPU's memory; the other models need the rest
    }
    if algorithm == "ppo":
        flags |= {"critic.model_name_or_path": places.critic, "critic.value_clip": settings.value_clip_range}
        flags |= {"algo.advantage.lambd": settings.gae_lambda}
        flags |= _optimizer("critic", settings.critic_learning_rate, settings.clip_norm)
    if settings.truncation_score is not None:
        flags["reward.stop_properly_penalty_coef"] = settings.truncation_score
    return written(flags)


def _supported(config: Config, places: Places, algorithm: Algorithm) -> PPOSettings:
    """The profile's settings of this algorithm, if OpenRLHF can follow them."""
    if config.ppo is None:
        raise InvalidConfig(f"profile {config.profile}: ppo is missing, from which OpenRLHF's settings are made")
    settings = config.ppo.of(algorithm) if algorithm in config.ppo.algorithms else config.ppo
    batch, parts, score = settings.batch_responses, settings.minibatches, settings.truncation_score
    gpus = settings.openrlhf.gpus
    uneven = batch % (parts * gpus) != 0
    split = "," in f"{places.reward}{places.prompts.absolute()}" or "@" in str(places.prompts.absolute())
    wrong = [
        (algorithm not in _ESTIMATORS, f"algorithm has to be one of {[*_ESTIMATORS]}, got {algorithm!r}"),
        ((algorithm == "ppo") == (places.critic is None), f"only ppo needs a critic, got {places.critic!r}"),
        (settings.trainable_layers != -1, f"trainable_layers has to be -1, all, got {settings.trainable_layers}"),
        (score is not None and score >= 0, f"truncation_score has to be below 0 or left out, got {score}"),
        (
            algorithm in ("rloo", "grpo") and (settings.discount != 1 or settings.samples_per_prompt < 2),
            f"{algorithm} needs a discount of 1 and samples_per_prompt of 2 or more, got {settings.discount} and "
            f"{settings.samples_per_prompt}",
        ),
        (uneven, f"batch_responses has to be a multiple of minibatches × GPUs, got {batch}, {parts} and {gpus}"),
        (split, f"no comma may be in reward or prompts, nor @ in prompts, got {places.reward} and {places.prompts}"),
    ]
    for is_wrong, message in wrong:
        if is_wrong:
            raise InvalidConfig(f"profile {config.profile}: OpenRLHF {VERSION}: {message}")
    return settings


def _optimizer(model: str, learning_rate: float, clip_norm: float) -> dict[str, object]:
    flags = {**_ADAM, "adam.lr": learning_rate, "max_norm": clip_norm}
    return {f"{model}.{name}": value for name, value in flags.items()}


def written(flags: Mapping[str, object]) -> list[str]:
    """`--name=value`, so that no value is read as a flag; a switch without value, two numbers as arguments."""
    arguments: list[str] = []
    for name, value in flags.items():
        if isinstance(value, tuple):
            arguments += [f"--{name}", *map(str, value)]
        elif value is not False:
            arguments.append(f"--{name}" if value is True else f"--{name}={value}")
    return arguments


@dataclass(frozen=True)
class Launch:
    """The interpreter, the CPUs that Ray finds on this machine, and the cluster's address, None for this machine."""

    python: str
    cpus: int
    ray_address: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the command. OpenRLHF's `ray.init()` would join a cluster that runs here, out of reach of us."""
        own = {"RAY_USAGE_STATS_ENABLED": "0", "TOKENIZERS_PARALLELISM": "true"}
        return own if self.ray_address else own | {"RAY_ADDRESS": "local"}

    def require_cpus(self, gpus: int) -> None:
        """Raise InvalidConfig where Ray would wait for ever: a CPU is reserved with each GPU, and one for the trainer.

        Of a cluster nothing is known here.
        """
        if self.ray_address is None and self.cpus <= gpus:
            raise InvalidConfig(
                f"ppo.openrlhf.gpus is {gpus}, and OpenRLHF reserves a CPU with each GPU and one for its trainer: "
                f"{cpus_for(gpus)} in all, and this machine has {self.cpus}; use fewer GPUs, or more CPUs"
            )

    def command(self, arguments: Sequence[str], job: str) -> tuple[list[str], list[str] | None]:
        """The command as a list of arguments, and the command that stops its work on a cluster, where `job` names it.

        Raises InvalidConfig for an argument that Ray, which starts a job through a shell, would change.
        """
        train = [self.python, "-m", MODULE, *arguments]
        if self.ray_address is None:
            return train, None
        changed = next((argument for argument in train if not _PLAIN.fullmatch(argument)), None)
        if changed is not None:
            raise InvalidConfig(
                f"{changed!r} cannot be given to a job of Ray: use paths of letters, digits and _./:=@%+,- only"
            )
        ray = [self.python, "-m", "ray.scripts.scripts", "job"]
        to = [f"--address={self.ray_address}"]
        return [*ray, "submit", *to, f"--submission-id={job}", "--", *train], [*ray, "stop", *to, job]


def cpus_for(gpus: int) -> int:
    """The CPUs that Ray reserves for a policy on this number of GPUs."""
    return gpus + 1


def launch() -> Launch:
    """The interpreter and cluster that the environment names. Raises ModelUnavailable without the right OpenRLHF."""
    name = os.environ.get(PYTHON, "")
    python = shutil.which(name) if name else None
    remedy = f"install it in its own environment (`make openrlhf-cpu` for a CPU) and set {PYTHON} to its python"
    if python is None:
        problem = f"{PYTHON} is {name!r}, which is no program" if name else f"{PYTHON} is not set"
        raise ModelUnavailable(f"engine 'openrlhf' needs OpenRLHF {VERSION}: {problem}; {remedy}")
    command = [python, "-c", _PRINT_FACTS]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelUnavailable(f"engine 'openrlhf': {python} does not answer ({error}); {remedy}") from error
    version, cpus = [*answer.stdout.split(), "", ""][:2]
    if answer.returncode or version != VERSION:
        raise ModelUnavailable(
            f"engine 'openrlhf' needs OpenRLHF {VERSION}, got {version or 'none'} in {python}; {remedy}"
        )
    return Launch(python, int(float(cpus)), os.environ.get(RAY) or None)


def require_engine(config: Config) -> None:
    """Raise before a run starts what would fail in a later stage: no OpenRLHF, or settings that it cannot follow."""
    if config.reward_models.engine == "openrlhf":
        launch()
    if config.ppo is None or config.ppo.engine != "openrlhf":
        return
    launch().require_cpus(config.ppo.openrlhf.gpus)
    for algorithm in config.ppo.algorithms:
        train_ppo_arguments(config, some_places(algorithm), algorithm=algorithm)


def some_places(algorithm: str) -> Places:
    """Placeholders for a run's places, to check its settings or to print its command."""
    critic = "REWARD_MODEL" if algorithm == "ppo" else None
    return Places("POLICY", "REWARD_MODEL", Path("/RUN/prompts.jsonl"), Path("/RUN/checkpoints"), critic)
