"""The small JSON files of a run that other processes read, checked before anybody relies on them.

A file that a crash cut off, that somebody edited or that a newer version wrote must not stop a page: what it should
hold is declared here, and whatever else is in it raises DamagedRun, in one line that says what to do.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Required, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, NonNegativeInt, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from pipeline.config.profiles import FirstError
from pipeline.errors import DamagedRun

_Read = TypeVar("_Read")


def _is_moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Moment = Annotated[str, AfterValidator(_is_moment)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_MORE_FIELDS = ConfigDict(extra="allow")  # a newer version may add some


class StageRecord(TypedDict, total=False):
    """One stage in `progress.json`; `rate_per_s` counts this attempt only, `wall_s` those before it too."""

    __pydantic_config__ = _MORE_FIELDS  # type: ignore[misc]

    name: Required[str]
    state: Literal["pending", "running", "done"]
    done: NonNegativeInt
    total: NonNegativeInt
    unit: str
    rate_per_s: Seconds | None
    eta_s: Seconds | None
    wall_s: Seconds


class Progress(TypedDict, total=False):
    """`progress.json`."""

    __pydantic_config__ = _MORE_FIELDS  # type: ignore[misc]

    started_at: Moment
    updated_at: Moment
    stages: list[StageRecord]


class StageFacts(TypedDict, total=False):
    """What a finished stage took."""

    __pydantic_config__ = _MORE_FIELDS  # type: ignore[misc]

    units: NonNegativeInt
    made: NonNegativeInt
    unit: str
    wall_s: Seconds
    work_s: Seconds
    earlier_s: Seconds
    peak_resident_bytes: NonNegativeInt
    engine: str


class Manifest(TypedDict, total=False):
    """`manifest.json`: what a finished run says of itself."""

    __pydantic_config__ = _MORE_FIELDS  # type: ignore[misc]

    run_id: str
    started_at: str
    finished_at: Moment
    wall_s: Seconds
    code_version: str
    config: dict[str, Any]
    packages: dict[str, Any]
    host: dict[str, Any]
    stages: dict[str, StageFacts]


class RayJob(TypedDict):
    """`ray-job.json`: the job that the run was last submitted as."""

    address: str
    job: str


class RayAnswer(TypedDict):
    """`ray-answer.json`: what the cluster last said of a job, and when."""

    job: str
    state: str
    asked_at: Moment


class _Created(TypedDict, total=False):
    created_at: Moment


_PROGRESS, _MANIFEST, _CREATED = TypeAdapter(Progress), TypeAdapter(Manifest), TypeAdapter(_Created)
_RAY_JOB, _RAY_ANSWER = TypeAdapter(RayJob), TypeAdapter(RayAnswer)


def progress(path: Path) -> Progress:
    """Empty if there is no file. Raises DamagedRun."""
    return _read(path, _PROGRESS) or {}


def manifest(path: Path) -> dict[str, Any] | None:
    """A `Manifest`; None if there is no file. Raises DamagedRun."""
    checked = _read(path, _MANIFEST)
    return None if checked is None else dict(checked)


def created_at(path: Path) -> str:
    """Empty if there is no file. Raises DamagedRun."""
    return (_read(path, _CREATED) or {}).get("created_at", "")


def ray_job(path: Path) -> RayJob | None:
    """None if there is no file. Raises DamagedRun."""
    return _read(path, _RAY_JOB)


def ray_answer(path: Path) -> RayAnswer | None:
    """None if there is no file. Raises DamagedRun."""
    return _read(path, _RAY_ANSWER)


def read_object(path: Path) -> dict[str, Any] | None:
    """A JSON object; None where there is none that can be read."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _read(path: Path, kind: TypeAdapter[_Read]) -> _Read | None:
    try:
        return kind.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = error.strerror or str(error)
    except ValidationError as error:
        wrong = FirstError.of(error)
        reason = f"{wrong.name}: {wrong.message}" if wrong.name else wrong.message
    raise DamagedRun(
        f"run {path.parent.name}: {path} cannot be read ({reason}): it is damaged, or of a newer version of righttree; "
        f"update, or remove it and `righttree resume {path.parent.name}` writes it again"
    )
