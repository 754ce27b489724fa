"""What `python -m app` serves: the dashboard, `main.py`, behind `app.access.headers` and `app.access.uploads`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

from app.access import first_views, pool
from app.access.headers import Guarded
from app.access.settled import settled
from app.access.uploads import Limited, freeing
from app.components import style


@asynccontextmanager
async def _up(served: Any) -> AsyncIterator[None]:
    async with settled(served), freeing(served):
        with pool.beside():
            async with first_views.computed(served):
                yield


app = st.App(
    Path(__file__).with_name("main.py"),
    middleware=[Middleware(Guarded, scripts=(style.SCRIPT,)), Middleware(Limited)],
    lifespan=_up,
)
