"""The page about data sets names every one, and the profile on it is valid."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from pipeline.config import load_profile, validated
from pipeline.data_sets.known import DATA_SETS

PAGE = (Path(__file__).parents[3] / "docs" / "data.md").read_text(encoding="utf-8")


def test_every_data_set_is_on_the_page() -> None:
    assert sorted(re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE)) == sorted(known.name for known in DATA_SETS)


def test_the_profile_on_the_page_is_valid() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    shown, settings = tomllib.loads(block), load_profile("smoke").model_dump()
    for section, values in shown.items():
        settings[section] |= values
    config = validated(settings, "the page's profile")
    assert config.prompts.files == tuple(shown["prompts"]["files"])
    assert config.preferences.files == tuple(shown["preferences"]["files"])
