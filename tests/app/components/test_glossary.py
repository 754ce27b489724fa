"""`app/components/glossary.py`: reachable from every page, and every term in it explained once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1.element_tree import Block

import app.views
from app.components import glossary
from tests.app.conftest import OpenPage

PAGES = sorted(path.parent.name for path in Path(app.views.__file__).parent.glob("*/page.py"))


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_the_glossary_in_its_sidebar(open_view: OpenPage, study_home: Path, name: str) -> None:
    page = open_view(name, study_home)
    assert not page.exception
    assert [term for term in glossary.TERMS if glossary.TERMS[term] not in _sidebar(page)] == []


def _sidebar(page: object) -> str:
    return "\n".join(element.value for element in page.sidebar.markdown)  # type: ignore[attr-defined]


def test_an_explanation_names_its_terms_and_fits_on_a_page() -> None:
    line = glossary.explain("golden", "NDR")
    assert line.startswith("**Golden**: the reward model that plays ground truth")
    assert " **NDR**: normalised drop ratio" in line
    assert max(map(len, glossary.TERMS.values())) <= 220


def _in_order(block: Block) -> Iterator[str]:
    """The texts of a part of a page, from the top."""
    child: Any
    for child in block.children.values():
        if isinstance(child, Block):
            yield from _in_order(child)
        elif child.type in ("markdown", "caption", "header", "subheader", "info", "warning"):
            yield str(child.value)


@pytest.mark.parametrize("name", [name for name in PAGES if name != "runs"])
def test_a_page_explains_its_terms_before_it_uses_them(open_view: OpenPage, study_home: Path, name: str) -> None:
    query = {"by": "bon"} if name == "choose" else {}
    text = "\n".join(_in_order(open_view(name, study_home, **query).main))
    for term in ("golden", "proxy", "NDR", "best-of-n", "π₀", "KL", "ξ"):
        used = re.search(rf"(?<![\w-]){re.escape(term)}(?!\w)", text)
        first = len(text) if used is None else used.start()
        assert used is None or 0 <= text.find(glossary.explain(term)) < first, (term, text[max(0, first - 60) :][:120])
