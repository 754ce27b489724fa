"""What a page under test says and shows, for assertions."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block


def said(page: AppTest | Block) -> str:
    """All text of the page, or of a part of it such as `page.main`, that is not a control."""
    kinds = (page.title, page.header, page.subheader, page.markdown, page.caption, page.info, page.warning)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def figures(page: AppTest) -> dict[str, str]:
    """Metrics by their label."""
    return {metric.label: metric.value for metric in page.metric}


def charts(page: AppTest) -> int:
    """How many charts there are."""
    return len(page.get("vega_lite_chart"))


def choices(page: AppTest) -> dict[str, list[str]]:
    """The parameters in the page's address, without the run, which is always among them."""
    parameters = address(page)
    assert parameters.pop("run")
    return parameters


def address(page: AppTest) -> dict[str, list[str]]:
    """The parameters in the page's address."""
    values = {name: page.query_params[name] for name in page.query_params}
    return {name: [value] if isinstance(value, str) else list(value) for name, value in values.items()}
