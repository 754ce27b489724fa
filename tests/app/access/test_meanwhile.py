"""The server's own work goes on after a failure, which is logged, and ends with the server."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.access.meanwhile import meanwhile


def test_a_failure_is_logged_and_the_work_goes_on_until_the_end(caplog: pytest.LogCaptureFixture) -> None:
    times = 0

    async def work() -> None:
        nonlocal times
        times += 1
        if times == 1:
            raise ValueError("the disk is on fire")

    async def serve() -> None:
        async with meanwhile(work, 0.01):
            while times < 3:
                await asyncio.sleep(0.01)
        ended = times
        await asyncio.sleep(0.1)
        assert times == ended

    with ThreadPoolExecutor(1) as thread:  # that of the tests has Playwright's loop
        thread.submit(asyncio.run, asyncio.wait_for(serve(), 20)).result()
    assert "the disk is on fire" in caplog.text
