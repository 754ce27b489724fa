"""What does not change while the server is up, and is therefore settled once: settings, and the objects of modules."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from streamlit import config


@asynccontextmanager
async def settled(app: Any) -> AsyncIterator[None]:
    """While the server is up, look a section's settings up once, and do not collect what its modules hold.

    Every run of a page sends the theme, six sections of it; for each, Streamlit goes through all of its 200 options,
    which was a tenth of a run's time.
    """
    look_up = config.get_options_for_section
    config.get_options_for_section = cache(look_up)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        config.get_options_for_section = look_up
        gc.unfreeze()
