"""The form on a run's card that makes an ensemble of the run's scorers."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ReadOnly
from pipeline.runs import jobs
from tests.app.conftest import OpenPage
from tests.helpers import simulated
from tests.helpers.study import Study, publish
from warehouse import reads, store


def test_chosen_members_become_a_scorer_of_a_new_run(tmp_path: Path, runs_page: OpenPage) -> None:
    page = runs_page(publish(tmp_path, Study()))
    page.session_state["ensemble-simulated"] = True
    page = page.run()
    assert page.button(key="ensemble.go.simulated").disabled  # no member yet
    page.multiselect(key="ensemble.members.simulated").set_value(["rm-00", "rm-02"]).run()
    page.selectbox(key="ensemble.how.simulated").set_value("uncertainty").run()
    page.number_input(key="ensemble.weight.simulated").set_value(0.5).run()
    page.selectbox(key="ensemble.role.simulated").set_value("golden").run()
    page.text_input(key="ensemble.name.simulated").set_value("careful").run()
    page.button(key="ensemble.go.simulated").click().run()
    assert not page.exception
    assert "simulated\\-ensemble" in page.success[0].value
    with store.open_read_only(tmp_path) as connection:
        models = reads.runs.reward_models(connection, "simulated-ensemble")
    (row,) = models.filter(reward_model_id="careful").to_dicts()
    assert (row["kind"], row["role"], row["base_model"]) == ("ensemble", "golden", "uncertainty of rm-00, rm-02")


def test_a_name_that_exists_is_said(tmp_path: Path, runs_page: OpenPage) -> None:
    page = runs_page(publish(tmp_path, Study()))
    page.session_state["ensemble-simulated"] = True
    page = page.run()
    page.multiselect(key="ensemble.members.simulated").set_value(["rm-00", "rm-02"]).run()
    page.text_input(key="ensemble.name.simulated").set_value("rm-01").run()
    page.button(key="ensemble.go.simulated").click().run()
    assert not page.exception
    assert any("already" in warning.value for warning in page.warning)


def test_nothing_is_offered_where_nothing_may_be_changed(
    tmp_path: Path, runs_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(jobs.READ_ONLY, "1")
    page = runs_page(simulated.publish(tmp_path))
    assert "Make an ensemble" not in [box.label for box in page.expander]
    with pytest.raises(ReadOnly, match="an ensemble cannot be made"):
        jobs.ensemble(tmp_path, "simulated", ["rm-0", "rm-1"], "mean")
