"""The small JSON files of a run that other processes read, checked before anything relies on them.

A file that a crash cut off, that somebody edited or that a newer version wrote must not break a page. Its type is
declared here, and `read` raises DamagedRun for anything else. Unknown fields are allowed: a newer version may add some.
"""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, NonNegativeInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from pipeline.config.profiles import FirstError
from pipeline.errors import DamagedRun

T = TypeVar("T")

Moment = Annotated[str, AfterValidator(lambda text: datetime.fromisoformat(text) and text)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass
class StageProgress:
    """How far a stage is; `rate_per_s` counts the current attempt only, `wall_s` the earlier ones too."""

    name: str
    state: Literal["pending", "running", "done"] = "pending"
    done: NonNegativeInt = 0
    total: NonNegativeInt = 0
    unit: str = ""
    rate_per_s: Seconds | None = None
    eta_s: Seconds | None = None
    wall_s: Seconds = 0.0


@dataclass
class RunProgress:
    """`progress.json`."""

    started_at: Moment = ""
    updated_at: Moment = ""
    stages: tuple[StageProgress, ...] = ()


class StageFacts(TypedDict, total=False):
    """What a finished stage took."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    units: NonNegativeInt
    made: NonNegativeInt
    unit: str
    wall_s: Seconds
    work_s: Seconds
    earlier_s: Seconds
    peak_resident_bytes: NonNegativeInt
    engine: str


class Manifest(TypedDict, total=False):
    """`manifest.json`: what a finished run says about itself."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    run_id: str
    started_at: str
    finished_at: Moment
    wall_s: Seconds
    code_version: str
    config: dict[str, Any]
    packages: dict[str, Any]
    host: dict[str, Any]
    stages: dict[str, StageFacts]


class Created(TypedDict, total=False):
    """`created.json`."""

    created_at: Moment


class RayJob(TypedDict):
    """`ray-job.json`: the job that the run was last submitted as."""

    address: str
    job: str


class RayAnswer(TypedDict):
    """`ray-answer.json`: what the cluster last said about a job, and when."""

    job: str
    state: str
    asked_at: Moment


def read(path: Path, kind: type[T], remedy: str = "") -> T | None:
    """The content of a run's file; None if there is no file. `remedy` says what to do about one that is damaged.

    Raises DamagedRun for a file that cannot be read or that has another type.
    """
    try:
        adapter: TypeAdapter[T] = _adapter(kind)  # type: ignore[arg-type]
        return adapter.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = error.strerror or str(error)
    except ValidationError as error:
        wrong = FirstError.of(error)
        reason = f"{wrong.name}: {wrong.message}" if wrong.name else wrong.message
    run_id = path.parent.name
    remedy = remedy or f"update righttree, or remove the file and `righttree resume {run_id}` writes it again"
    raise DamagedRun(
        f"run {run_id}: {path} cannot be read ({reason}): it is damaged or was written by a newer version; {remedy}"
    )


def read_object(path: Path) -> dict[str, Any] | None:
    """A JSON object; None if there is none that can be read."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
