"""What popovers hold is made when they are opened."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def opened(page: AppTest, *keys: str) -> AppTest:
    """The page with the popovers of these keys opened; none given: those of all figures and the link to copy."""
    figures = [str(view.key).removeprefix("view-") for view in page.get("button_group") if "view-" in str(view.key)]
    for key in keys or ["copy-link", *(f"{what}-{name}" for what in ("code", "files") for name in figures)]:
        page.session_state[key] = True
    return page.run()
