"""A clock that is set back while a test runs."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from types import ModuleType

import pytest


def set_back(monkeypatch: pytest.MonkeyPatch, module: ModuleType, hours: int) -> None:
    """Let a module that asks `datetime` for the time get one that many hours ago."""

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Earlier:
            return cls.fromtimestamp((datetime.now(tz) - timedelta(hours=hours)).timestamp(), tz)

    monkeypatch.setattr(module, "datetime", Earlier)
