"""Work that the server does while it is up, beside what visitors ask."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

_log = logging.getLogger(__name__)


@asynccontextmanager
async def meanwhile(work: Callable[[], Awaitable[None]], every_s: float) -> AsyncIterator[None]:
    """While the block runs, do the work again and again with a pause of `every_s`; a failure is logged."""
    task = asyncio.create_task(_repeated(work, every_s))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _repeated(work: Callable[[], Awaitable[None]], every_s: float) -> None:
    while True:
        try:
            await work()
        except Exception:
            _log.exception("%s failed and is tried again in %g s", getattr(work, "__qualname__", work), every_s)
        await asyncio.sleep(every_s)
