"""The Reward models page shows reactions to edits where edited responses were scored, and nothing where not."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.views.reward_models.reactions import note, table
from tests.app.conftest import OpenPage
from tests.helpers.planted_reactions import STUDY, likes, rows_with
from warehouse import ingest, reads, store
from warehouse.schema import EDITS

TITLE = "What besides content do they react to?"


@pytest.fixture(scope="module")
def edited_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a run whose reward models scored edited responses. Tests must not write into it."""
    home = tmp_path_factory.mktemp("edited")
    ingest.publish(home, rows_with(likes(1), likes(1)), "test")
    return home


def test_every_reward_model_has_a_figure_with_its_interval_for_every_edit(edited_home: Path) -> None:
    with store.open_read_only(edited_home) as connection:
        reactions = reads.probes.reactions(connection, STUDY.run_id)
        models = reads.runs.reward_models(connection, STUDY.run_id)
    assert reactions is not None
    changes = table(reactions, models)
    assert changes["flip_rate"].to_list() == pytest.approx(models["flip_rate"].to_list() * len(EDITS))
    assert changes.select("reward_model", "edit").rows() == [(name, edit) for edit in EDITS for name in STUDY.names]
    assert (changes["low"] < changes["value"]).all()
    assert (changes["value"] < changes["high"]).all()
    assert note(reactions).startswith("One response of the initial policy to each of 24 prompts is edited")
    chosen = reactions.of_prompts(reactions.prompts[5:8])
    assert table(chosen, models)["value"].to_list() == pytest.approx(
        [reactions.change_EMP[e, m, 5:8].mean() for e in range(5) for m in range(STUDY.reward_models)]
    )


def test_the_page_shows_them_and_another_run_s_page_does_not(
    edited_home: Path, study_home: Path, open_view: OpenPage
) -> None:
    page = open_view("reward_models", edited_home, category="Chat")
    assert not page.exception
    assert TITLE in [header.value for header in page.header]
    assert any("to each of 6 prompts is edited" in caption.value for caption in page.caption)
    other = open_view("reward_models", study_home)
    assert not other.exception
    assert TITLE not in [header.value for header in other.header]
