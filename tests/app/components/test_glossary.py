"""`app/components/glossary.py`: reachable from every page, and every term in it explained once."""

from __future__ import annotations

from pathlib import Path

import pytest

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
