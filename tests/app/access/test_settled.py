"""While the server is up, settings are looked up once: with the same answers, and as before afterwards."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor

from streamlit import config

from app.access.settled import settled

SECTIONS = ("theme", "theme.light", "theme.dark.sidebar", "server", "no such section")


def test_settings_are_the_same_and_looked_up_once_while_the_server_is_up() -> None:
    before = {section: config.get_options_for_section(section) for section in SECTIONS}
    look_up, frozen = config.get_options_for_section, gc.get_freeze_count()

    async def up() -> None:
        async with settled(app=object()):
            assert {section: config.get_options_for_section(section) for section in SECTIONS} == before
            assert config.get_options_for_section("theme") is config.get_options_for_section("theme")
            assert gc.get_freeze_count() > frozen

    with ThreadPoolExecutor(1) as thread:  # in which no loop runs, as Playwright's does in this one
        thread.submit(lambda: asyncio.run(up())).result()
    assert config.get_options_for_section is look_up
    assert gc.get_freeze_count() == 0
