"""Extending a run: a new run with more reward models, samples per prompt or trained policies; computes what is missing.

The old run is not changed, as it may be cited. The new one has its settings with the additions, and reuses everything
that the old run computed, file by file, as hard links (copies if the file system has none). These files are those of a
fresh run with the new settings, because none of them depends on what can be added:

- A reward model's seed depends only on its name, so other models change neither it nor its scores.
- Additional samples are drawn and scored in batches of their own, after the existing ones (`Config.rl_test_rounds`).
- A policy depends on its own reward model and KL penalty, and on seeds of its name or of the whole run. The pool that
  SFT learns from depends on no reward model; added ones score it.

Only the values of best-of-n are all computed again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
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
"""What can be added: flip rates, reward models of other kinds (settings, or text for `reward_model`), reward models
trained elsewhere, a larger N, policies trained by PPO (to a run that trains none)."""

_UNCHANGED = ("prompts", "train_responses", "preferences")
"""Stages to which nothing can be added: they are not done again, as their markers are reused."""
_COMPUTED_AGAIN = "best_of_n"


def create(data: Path, run_id: str, additions: Mapping[str, Any], new_id: str | None = None) -> RunDirectory:
    """A new run that extends one and has everything that the old one computed; nobody works on it yet.

    Raises InvalidSetting, in one line, for an invalid addition, and RunBusy while the old run is running.
    """
    old = runs.open_run(data, run_id)
    config = extended(data, run_id, additions)
    if old.is_running:
        raise RunBusy(
            f"run {run_id} is running: extend it when it has ended, or stop it by `righttree cancel {run_id}`"
        )
    if retry.is_requested(old):
        raise RunBusy(f"run {run_id} is about to retry failed policies: `righttree resume {run_id}` first")
    return runs.create(data, config, new_id, partial(_reuse, old))


def extended(data: Path, run_id: str, additions: Mapping[str, Any]) -> Config:
    """The settings of a run with the additions. Raises InvalidSetting, in one line, for the first that is wrong."""
    old = runs.open_run(data, run_id)
    for name in additions:
        if name not in ADDITIONS:
            raise InvalidSetting(f"{name}: cannot be added to a run; use one of {list(ADDITIONS)}", name)
    more = {name: list(additions.get(name) or ()) for name in ("flip_rates", "others", "added")}
    more["others"] = [reward_model(other) if isinstance(other, str) else other for other in more["others"]]
    for setting, name in _names(more):
        if name in old.config.reward_models.ids:
            raise InvalidSetting(f"run {run_id} has the reward model {name} already; add another", setting)
    more["added"] = [valid(AddedRewardModel, entry, "added").model_dump(mode="json") for entry in more["added"]]
    samples, samples_before = additions.get("rl_test_samples"), old.config.test.rl_test_samples
    steps, steps_before = additions.get("ppo_steps"), old.config.ppo.steps if old.config.ppo else NO_PPO
    if not any(more.values()) and samples in (None, samples_before) and steps in (None, steps_before):
        raise InvalidSetting(
            f"nothing is added to {run_id}: give a reward model, more samples, or ppo_steps", "flip_rates"
        )
    if isinstance(samples, int) and samples < samples_before:
        message = f"rl_test_samples is {samples}; run {run_id} has {samples_before} already: give more"
        raise InvalidSetting(message, "rl_test_samples")
    if steps not in (None, steps_before) and steps_before:
        message = f"ppo_steps is {steps}; run {run_id} has policies of {steps_before} steps, which cannot go on"
        raise InvalidSetting(f"{message}: start another run", "ppo_steps")

    settings = old.config.model_dump(mode="json")
    models = settings["reward_models"]
    settings["reward_models"] = {**models, **{name: [*models[name], *new] for name, new in more.items()}}
    settings["test"]["rl_test_samples"] = samples_before if samples is None else samples
    if steps not in (None, steps_before):
        settings["ppo"] = with_steps(None, steps=steps)
    origin = {
        "run_id": run_id,
        "rl_test_samples": samples_before,
        "code_version": (old.manifest() or {}).get("code_version"),
    }
    settings["extends"] = [*settings["extends"], origin]
    return checked(settings)


def reward_model(text: str) -> dict[str, Any]:
    """A reward model as typed in a command: `size=0.25`, `depth=2,learning_rate=1e-4`, `length=0.5,flip_rate=0.1`.

    Members of an ensemble are joined by `+`: `ensemble=flip-0.00+seed-1`. Raises InvalidSetting for any other form; the
    values are validated with all settings.
    """
    (kind, _, value), *rest = ((cell.strip() for cell in part.partition("=")) for part in text.split(","))
    more = {name: changed for name, _, changed in rest}
    if kind not in KINDS or not value or not all(more.values()) or set(more) - set(OtherRewardModel.model_fields):
        raise InvalidSetting(
            f"reward model {text!r}: give {', '.join(f'{name}=…' for name in KINDS)}, and after a comma flip_rate=…, "
            "learning_rate=… or epochs=…",
            "others",
        )
    if kind == "ensemble":
        return {**more, "kind": kind, "members": value.split("+")}
    return {**more, "kind": kind, KINDS[kind]: "-1" if value == "all" else value}


def _names(more: Mapping[str, list[Any]]) -> Iterator[tuple[str, str]]:
    """The setting and the id of each reward model that is added."""
    for rate in more["flip_rates"]:
        yield "flip_rates", f"flip-{valid(Share, rate, 'flip_rates'):.2f}"
    for other in more["others"]:
        yield "others", valid(OtherRewardModel, other, "others").reward_model_id
    for entry in more["added"]:
        yield "added", valid(AddedRewardModel, entry, "added").name


def _reuse(old: RunDirectory, folder: Path) -> None:
    """Put everything that a run computed into another one's folder, with markers of the stages that cannot change."""
    for path in sorted(old.path.rglob("*")):
        place = path.relative_to(old.path)
        if not path.is_file() or any(part.startswith(".") for part in place.parts):
            continue
        is_part = place.parts[0] in TABLES and not path.name.startswith(_COMPUTED_AGAIN)
        if is_part or place.parts[0] in ("work", checksums.FILE):
            _link(path, folder / place)
    for stage in _UNCHANGED:
        if old.is_done(stage):
            marker = folder / "stages" / f"{stage}.json"
            marker.parent.mkdir(exist_ok=True)
            facts = {**old.stage_facts(stage), "wall_s": 0.0, "work_s": 0.0, "made": 0, "peak_resident_bytes": 0}
            files.write_json(marker, facts, sync=False)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    appended = source.suffix in (".jsonl", ".log") or source.name == checksums.FILE
    try:
        if not appended:  # a file that is appended to must not change in the old run
            os.link(source, target)
            return
    except OSError:  # another file system, or one without links
        pass
    shutil.copy2(source, target)
