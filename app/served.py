"""What `python -m app` serves: the dashboard, `main.py`, behind `app.access.headers` and `app.access.uploads`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from app.access.headers import Guarded
from app.access.uploads import Limited, freeing
from app.components import style

app = st.App(
    Path(__file__).with_name("main.py"),
    middleware=[Middleware(Guarded, scripts=(style.SCRIPT,)), Middleware(Limited)],
    lifespan=freeing,
)
