"""Extending a run: a new one with more reward models, more samples per prompt, or PPO, that computes what is missing.

The run that is extended stays as it is: it may be cited. The new one has its settings with the additions, and takes
over all that it has made, file by file, as hard links (copies where the file system has none). What is taken over
holds, because no unit of a run depends on what can be added:

- A reward model's seed is of its name, so others beside it change nothing; nor do they change its scores.
- Further samples are drawn and scored in batches of their own, after those that are there (`Config.rl_test_rounds`).
- A policy hangs on its own reward model and KL penalty, and on seeds of its name or of the whole run.

The values of best-of-n are all made anew. So an extended run has the rows of a fresh run with its settings.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pipeline import runs
from pipeline.config import AddedRewardModel, Config, OtherRewardModel, Share, valid
from pipeline.config.changes import NO_PPO, checked, with_steps
from pipeline.config.reward_models import KINDS
from pipeline.errors import InvalidSetting, RunBusy
from pipeline.runs import RunDirectory, checksums, retry
from warehouse import files
from warehouse.schema import TABLES

ADDITIONS = ("flip_rates", "others", "added", "rl_test_samples", "ppo_steps")
"""What can be added: flip rates, reward models of other kinds (settings, or a line of them as `reward_model` reads),
those made elsewhere, a greater N, PPO."""

_UNCHANGED = ("prompts", "train_responses", "preferences")
"""Stages that nothing can be added to: their markers are taken over, so that they are not done again."""
_REMADE = "best_of_n"


def create(data: Path, run_id: str, additions: Mapping[str, Any], new_id: str | None = None) -> RunDirectory:
    """A new run that extends one, with everything in it that the other has made; nobody works on it yet.

    Raises InvalidSetting, in one line, for an addition that is none, and RunBusy while the other one is at work.
    """
    old = runs.open_run(data, run_id)
    config = extended(data, run_id, additions)
    if old.is_running:
        raise RunBusy(
            f"run {run_id} is at work: extend it when it has ended, or stop it by `righttree cancel {run_id}`"
        )
    if retry.is_requested(old):
        raise RunBusy(f"run {run_id} is to make failed policies again: `righttree resume {run_id}` first")
    return runs.create(data, config, new_id, partial(_take_over, old))


def extended(data: Path, run_id: str, additions: Mapping[str, Any]) -> Config:
    """The settings of a run with the additions. Raises InvalidSetting, in one line, for the first that is wrong."""
    old = runs.open_run(data, run_id)
    unknown = [name for name in additions if name not in ADDITIONS]
    if unknown:
        raise InvalidSetting(f"{unknown[0]}: cannot be added to a run; there are {list(ADDITIONS)}", unknown[0])
    settings = old.config.model_dump(mode="json")
    before = dict(settings)
    _add_reward_models(settings, old, additions)
    _add_samples(settings, old, additions.get("rl_test_samples"))
    _add_ppo(settings, old, additions.get("ppo_steps"))
    if settings == before:
        raise InvalidSetting(f"nothing is added to {run_id}: give a reward model, more samples, or PPO", "flip_rates")
    manifest = old.manifest() or {}
    settings["extends"] = [
        *settings["extends"],
        {
            "run_id": run_id,
            "rl_test_samples": old.config.test.rl_test_samples,
            "code_version": manifest.get("code_version"),
        },
    ]
    return checked(settings)


def reward_model(text: str) -> dict[str, Any]:
    """A reward model as the command line has it: `size=0.25`, `depth=2,learning_rate=1e-4`, `length=0.5,flip_rate=0.1`.

    Raises InvalidSetting for another form; the values are checked with all settings.
    """
    given = [part.partition("=") for part in text.replace(" ", "").split(",")]
    kind, _, value = given[0]
    more = {name: changed for name, _, changed in given[1:]}
    if kind not in KINDS or not value or not all(more.values()) or set(more) - set(OtherRewardModel.model_fields):
        raise InvalidSetting(
            f"reward model {text!r}: give {', '.join(f'{name}=…' for name in KINDS)}, and after a comma flip_rate=…, "
            "learning_rate=… or epochs=…",
            "others",
        )
    return {**more, "kind": kind, KINDS[kind]: "-1" if value == "all" else value}


def _add_reward_models(settings: dict[str, Any], old: RunDirectory, additions: Mapping[str, Any]) -> None:
    there = old.config.reward_models.ids
    rates = list(additions.get("flip_rates") or ())
    others = [reward_model(other) if isinstance(other, str) else other for other in additions.get("others") or ()]
    for rate in rates:
        name = f"flip-{valid(Share, rate, 'flip_rates'):.2f}"
        if name in there:
            raise InvalidSetting(f"flip rate {rate}: run {old.run_id} has {name} already; add another", "flip_rates")
    for other in others:
        name = valid(OtherRewardModel, other, "others").reward_model_id
        if name in there:
            raise InvalidSetting(f"run {old.run_id} has the reward model {name} already; add another", "others")
    added = [valid(AddedRewardModel, entry, "added") for entry in additions.get("added") or ()]
    for entry in added:
        if entry.name in there:
            raise InvalidSetting(
                f"run {old.run_id} has a reward model {entry.name} already; give another name", "added"
            )
    models = settings["reward_models"]
    more = {
        "flip_rates": [*models["flip_rates"], *rates],
        "others": [*models["others"], *others],
        "added": [*models["added"], *(entry.model_dump(mode="json") for entry in added)],
    }
    settings["reward_models"] = {**models, **more}


def _add_samples(settings: dict[str, Any], old: RunDirectory, samples: Any) -> None:
    there = old.config.test.rl_test_samples
    if samples is None:
        return
    if isinstance(samples, int) and samples < there:
        raise InvalidSetting(
            f"rl_test_samples is {samples}; run {old.run_id} has {there} already: give more",
            "rl_test_samples",
        )
    settings["test"] = {**settings["test"], "rl_test_samples": samples}


def _add_ppo(settings: dict[str, Any], old: RunDirectory, steps: Any) -> None:
    there = old.config.ppo.steps if old.config.ppo else NO_PPO
    if steps is None or steps == there:
        return
    if there:
        raise InvalidSetting(
            f"ppo_steps is {steps}; run {old.run_id} has PPO of {there} and cannot go on with it: start another",
            "ppo_steps",
        )
    settings["ppo"] = with_steps(None, steps)


def _take_over(old: RunDirectory, folder: Path) -> None:
    """Put all that a run has made into another one's folder, and the markers of what cannot change."""
    for path in sorted(old.path.rglob("*")):
        place = path.relative_to(old.path)
        if not path.is_file() or any(part.startswith(".") for part in place.parts):
            continue
        part = place.parts[0] in TABLES and not path.name.startswith(_REMADE)
        if part or place.parts[0] in ("work", checksums.FILE):
            _link(path, folder / place)
    for stage in _UNCHANGED:
        if old.is_done(stage):
            marker = folder / "stages" / f"{stage}.json"
            marker.parent.mkdir(exist_ok=True)
            facts = {**old.stage_facts(stage), "wall_s": 0.0, "work_s": 0.0, "made": 0, "peak_resident_bytes": 0}
            files.write_json(marker, facts, sync=False)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix in (".jsonl", ".log") or source.name == checksums.FILE:  # a curve, or a list, that is appended to
        shutil.copy2(source, target)
        return
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
