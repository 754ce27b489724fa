"""The Runs page: real runs, one stopped on the way, and none at all."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from pipeline import runs
from pipeline.config import Config, load_profile
from pipeline.runs import RunDirectory, jobs
from pipeline.runs.progress import Progress
from pipeline.stages import STAGES
from pipeline.uploads.upload import UPLOAD
from tests.app.conftest import OpenPage
from tests.helpers import simulated
from tests.helpers.reading import address, choices, said
from tests.helpers.study import filled
from tests.warehouse.exchange import files
from warehouse import exchange, reads, store
from warehouse import labels as warehouse_labels
from warehouse.labels import Label, Labels
from warehouse.schema import TABLES


def begun(home: Path, run_id: str) -> tuple[RunDirectory, Progress]:
    """A run directory in which the first stage is half done."""
    run = runs.create(home, load_profile("smoke"), run_id)
    with (home / "console.txt").open("w") as console:
        progress = Progress(run, list(STAGES), console)
        progress.begin(STAGES[0])
        progress.plan(40, "prompts")
        progress.advance(20)
        progress._write(force=True)
    return run, progress


def badges(page: AppTest) -> list[str]:
    return [element.value for element in page.markdown if "-badge[" in element.value]


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def test_a_finished_run_shows_how_it_was_made(smoke_home: Path, runs_page: OpenPage) -> None:
    page = runs_page(smoke_home)
    assert not page.exception
    assert any("published" in badge for badge in badges(page))
    assert "Settings and timings" in [expander.label for expander in page.expander]


def test_a_running_run_shows_its_stages_with_what_is_done(tmp_path: Path, runs_page: OpenPage) -> None:
    run, _ = begun(tmp_path, "now")
    with run.working():
        page = runs_page(tmp_path)
    assert not page.exception
    assert any("running" in badge for badge in badges(page))
    assert any("20 of 40 prompts" in caption.value for caption in page.caption)
    assert [caption.value for caption in page.caption].count("to come") == len(STAGES) - 1


def test_a_stopped_run_can_be_taken_up(tmp_path: Path, runs_page: OpenPage) -> None:
    begun(tmp_path, "stopped")
    page = runs_page(tmp_path)
    assert not page.exception
    assert any("interrupted" in badge for badge in badges(page))
    assert "Resume" in labels(page)


def test_a_failed_run_says_why(tmp_path: Path, runs_page: OpenPage) -> None:
    run, _ = begun(tmp_path, "failed")
    run.write_error("the model is not here: put it into <b>models</b>")
    page = runs_page(tmp_path)
    assert not page.exception
    assert "the model is not here" in page.error[0].value
    assert "<b>" not in page.error[0].value
    assert "prompts: started" in page.code[0].value


def test_without_a_run_the_page_says_how_to_start_one(tmp_path: Path, runs_page: OpenPage) -> None:
    page = runs_page(tmp_path)
    assert not page.exception
    assert "righttree run --profile quick" in [code.value for code in page.code]


def test_the_explore_page_shows_the_progress_of_the_first_run(tmp_path: Path, explore: OpenPage) -> None:
    run, _ = begun(tmp_path, "first")
    with run.working():
        page = explore(tmp_path)
    assert not page.exception
    assert any("20 of 40 prompts" in caption.value for caption in page.caption)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An empty data folder, in which no process is left at work."""
    folder = tmp_path / "home"
    folder.mkdir()
    yield folder
    for run_id in runs.run_ids(folder):
        worker = runs.open_run(folder, run_id).worker()
        if worker not in (None, os.getpid()):
            os.kill(worker, signal.SIGKILL)


def test_a_run_is_started_cancelled_and_resumed_from_the_page(home: Path, runs_page: OpenPage) -> None:
    page = runs_page(home)
    page = page.segmented_control(key="start.profile").select("smoke").run()
    page = page.number_input(key="start.smoke.seed").set_value(7).run()
    page = page.text_input(key="start.smoke.flip_rates").set_value("0, 0.25,0.4").run()
    page = page.button(key="start.go").click().run()
    assert not page.exception
    (run,) = jobs.list_runs(home)
    assert run.state == "running"
    config = runs.open_run(home, run.run_id).config
    assert (config.profile, config.seed, config.reward_models.flip_rates) == ("smoke", 7, (0.0, 0.25, 0.4))

    page = page.button(key=f"cancel-{run.run_id}").click().run()
    assert not page.exception
    assert any("interrupted" in badge for badge in badges(page))
    page = page.button(key=f"resume-{run.run_id}").click().run()
    assert any("running" in badge for badge in badges(page))
    page.button(key=f"cancel-{run.run_id}").click().run()
    assert jobs.status(home, run.run_id).state == "interrupted"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("seed", -1, "Seed: Input should be greater than or equal to 0; got"),
        ("rl_test_samples", 1, "Samples per RL-test prompt (N): Input should be greater"),
        ("ppo_steps", -1, "PPO steps: Input should be greater"),
        ("flip_rates", "0, half", "Flip rates: Input should be a valid number"),
        ("flip_rates", "", "Flip rates: give at least 2"),
    ],
)
def test_an_invalid_setting_is_one_line_and_cannot_be_started(
    home: Path, runs_page: OpenPage, field: str, value: object, message: str
) -> None:
    page = runs_page(home)
    fields = page.text_input if isinstance(value, str) else page.number_input
    page = fields(key=f"start.quick.{field}").set_value(value).run()
    assert not page.exception
    (error,) = page.error
    assert error.value.startswith(message)
    assert page.button(key="start.go").disabled


def extend_form(page: AppTest, run_id: str) -> AppTest:
    """The page with the form of what is added to a run unfolded."""
    page.session_state[f"extend-{run_id}"] = True
    return page.run()


def test_a_run_is_extended_from_the_page(home: Path, runs_page: OpenPage) -> None:
    begun(home, "stopped")
    page = extend_form(runs_page(home), "stopped")
    assert page.button(key="extend-stopped.go").disabled  # nothing is added yet
    assert page.number_input(key="extend-stopped.more_ppo_steps").disabled  # it has PPO
    page = page.text_input(key="extend-stopped.more_flip_rates").set_value("0.1, 0.3").run()
    page = page.number_input(key="extend-stopped.rl_test_samples").set_value(12).run()
    for kind, value in (("size", "0.25, 0.5"), ("depth", "2"), ("seed_number", "1"), ("length", "0.5")):
        page = page.text_input(key=f"extend-stopped.{kind}").set_value(value).run()
    page = page.text_input(key="extend-stopped.learning_rate").set_value("1e-4").run()
    assert not page.exception
    assert not page.error
    assert "Estimated from" in said(page)
    page = page.button(key="extend-stopped.go").click().run()
    assert not page.exception
    (new,) = set(runs.run_ids(home)) - {"stopped"}
    assert jobs.status(home, new).state == "running"
    config = runs.open_run(home, new).config
    assert config.reward_models.flip_rates == (0.0, 0.2, 0.4, 0.1, 0.3)
    added = [other for other in config.reward_models.others if other.learning_rate == 1e-4]
    assert [other.reward_model_id for other in added] == ["size-0.25", "size-0.50", "depth-2", "seed-1", "length-0.50"]
    assert [run.run_id for run in config.extends] == ["stopped"]
    assert config.test.rl_test_samples == 12
    assert "extends stopped" in said(page)
    jobs.cancel(home, new)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("more_flip_rates", "0.2", "run stopped has the reward model flip"),
        ("more_flip_rates", "half", "valid number"),
        ("rl_test_samples", 4, "run stopped has 8 already"),
        ("size", "2", "Input should be less than 1; got '2'"),
        ("depth", "0", "run stopped has the reward model depth\\-0 already"),
        ("depth", "1", "a depth of 1, which is the family's"),
        ("length", "much", "valid number"),
        ("seed_number", "1, 1", "more than once"),
    ],
)
def test_what_cannot_be_added_is_one_line_and_cannot_be_started(
    home: Path, runs_page: OpenPage, field: str, value: object, message: str
) -> None:
    begun(home, "stopped")
    page = extend_form(runs_page(home), "stopped")
    fields = page.text_input if isinstance(value, str) else page.number_input
    page = fields(key=f"extend-stopped.{field}").set_value(value).run()
    assert not page.exception
    (error,) = page.error
    assert message in error.value
    assert page.button(key="extend-stopped.go").disabled


def test_a_run_is_deleted_from_the_page_and_its_rows_with_it(home: Path, runs_page: OpenPage) -> None:
    begun(home, "stopped")
    for number, run_id in enumerate(("one", "two")):
        simulated.publish(home, run_id=run_id, P=8, Q=8, M=3, seed=number)
    page = runs_page(home)
    for run_id in ("stopped", "one"):
        page = page.button(key=f"delete-{run_id}").click().run()
        assert not page.exception
    assert runs.run_ids(home) == []
    with store.open_read_only(home) as connection:
        assert reads.runs.all_runs(connection)["run_id"].to_list() == ["two"]
    assert "delete-two" in [button.key for button in page.button]
    assert "delete-one" not in [button.key for button in page.button]


def test_a_run_at_work_is_neither_extended_nor_deleted(home: Path, runs_page: OpenPage) -> None:
    run, _ = begun(home, "now")
    with run.working():
        page = runs_page(home)
    assert [button.key for button in page.button if button.key and "now" in button.key] == ["cancel-now"]
    assert "Add to this run" not in [box.label for box in page.expander]


@pytest.mark.parametrize("button", ["delete-stopped", "extend-stopped.go"])
def test_a_button_clicked_before_a_server_became_read_only_does_nothing(
    home: Path, runs_page: OpenPage, monkeypatch: pytest.MonkeyPatch, button: str
) -> None:
    begun(home, "stopped")
    page = extend_form(runs_page(home), "stopped")
    page = page.text_input(key="extend-stopped.more_flip_rates").set_value("0.1").run()
    clicked = page.button(key=button).click()
    monkeypatch.setenv(jobs.READ_ONLY, "1")
    page = clicked.run()
    assert not page.exception
    assert runs.run_ids(home) == ["stopped"]
    assert jobs.status(home, "stopped").state == "interrupted"


def test_a_waiting_run_says_for_which(home: Path, runs_page: OpenPage) -> None:
    first, _ = begun(home, "first")
    with first.working():
        second = jobs.start(home, load_profile("smoke"))
        page = runs_page(home)
        assert any("waiting" in badge for badge in badges(page))
        assert "Waiting for first, which is running" in said(page)
        jobs.cancel(home, second)


def test_a_run_that_a_cluster_has_not_begun_with_says_so(home: Path, runs_page: OpenPage) -> None:
    run, _ = begun(home, "submitted")
    nowhere = "http://127.0.0.1:1"  # a cluster that does not answer: nothing is known but that it was asked
    (run.path / "ray-job.json").write_text(json.dumps({"address": nowhere, "job": "righttree-submitted"}))
    page = runs_page(home)
    assert not page.exception
    assert any("waiting" in badge for badge in badges(page))
    assert "Submitted to Ray at http://127.0.0.1:1, which has not started it yet" in said(page).replace("\\", "")
    assert "Cancel" in labels(page)
    assert "Resume" not in labels(page)
    with run.working():  # as `righttree resume` does here, all the same
        assert jobs.status(home, "submitted").state == "running"
    assert jobs.status(home, "submitted").state == "interrupted"


def test_a_read_only_page_shows_and_changes_nothing(
    home: Path, runs_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(home, "stopped")
    simulated.publish(home, P=8, Q=8, M=3)
    page = runs_page(home)
    assert {"Resume", "Export"} <= {*labels(page), *(button.label for button in page.get("download_button"))}
    clicked = page.button(key="resume-stopped").click()
    monkeypatch.setenv(jobs.READ_ONLY, "1")
    page = clicked.run()  # the button was there when it was clicked
    assert not page.exception
    assert jobs.status(home, "stopped").state == "interrupted"
    page = runs_page(home)
    assert not page.exception
    assert "this server only reads" in said(page)
    assert labels(page) == []
    assert [box.label for box in page.expander if "run" in box.label] == []
    assert "righttree resume stopped" in [code.value for code in page.code]


def test_policies_that_could_not_be_trained_can_be_retried(
    home: Path, runs_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RIGHTTREE_OPENRLHF_PYTHON", raising=False)
    settings = load_profile("smoke").model_dump(mode="json")
    settings["ppo"] |= {"engine": "openrlhf", "trainable_layers": -1, "openrlhf": {"gpus": 2}}
    run = runs.create(home, Config.model_validate(settings), "failed-once")
    rows = [
        {"ppo_id": f"ppo/{name}", "reward_model_id": name, "state": state, "steps": 2, "steps_done": 0, "seed": 0}
        | {"kl_coefficient": 0.0, "trainable_layers": -1, "reason": reason}
        for name, state, reason in (("a_b", "failed", "no memory"), ("c", "diverged", "nan"), ("d", "finished", None))
    ]
    for row in rows:
        part = filled(TABLES["ppo_run"], run.run_id, pl.DataFrame([row])).drop("run_id")
        run.write_part("ppo_run", "ppo", row["reward_model_id"], part)
    for stage in STAGES:
        run.mark_done(stage, {})
    run.finish({"run_id": run.run_id})
    page = runs_page(home)
    button = page.button(key="retry-failed-once")
    assert r"the policies that failed: ppo/a\_b. Everything else is kept" in button.help
    page = button.click().run()
    assert not page.exception
    assert "is not set; install it in its own environment" in said(page)  # before anything is removed
    assert jobs.status(home, run.run_id).state == "finished"
    monkeypatch.setenv(jobs.READ_ONLY, "1")
    assert "retry-failed-once" not in {button.key for button in runs_page(home).button}
    with pytest.raises(jobs.ReadOnly, match="policies cannot be trained again"):
        jobs.retry(home, run.run_id)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A data folder with the runs `one` and `two`, which differ in a setting."""
    for number, run_id in enumerate(("one", "two"), 1):
        simulated.publish(tmp_path, run_id=run_id, P=8, Q=8, M=3, seed=number, optimizers=("bon", "ppo")[:number])
    return tmp_path


def test_two_runs_are_compared_by_a_link(two: Path, open_view: OpenPage) -> None:
    page = open_view("runs", two, first="one", second="two")
    assert not page.exception
    assert not page.warning
    text = said(page)
    assert "How well accuracy predicts the policy" in text
    assert "leaving out each reward model in turn (jackknife)" in text
    assert choices(page) == {"compare": ["one", "two"]}
    assert "None: the same settings" in text
    assert len(page.get("vega_lite_chart")) == 1  # no stages are known of simulated runs


def test_a_comparison_of_a_run_with_itself_or_with_nothing(two: Path, open_view: OpenPage) -> None:
    page = open_view("runs", two, first="one", second="one")
    assert "This is one run" in page.info[0].value
    page = open_view("runs", two, first="one", second="gone")
    assert not page.exception
    assert "compare=gone" in page.warning[0].value


def import_form(page: AppTest) -> AppTest:
    """The page with the form of the import unfolded."""
    page.session_state["import"] = True
    return page.run()


def test_incomplete_scores_and_goldens_are_chosen_in_the_form(two: Path, tmp_path: Path, open_view: OpenPage) -> None:
    page = import_form(open_view("runs", two))
    missing = files.long_frame().filter((pl.col("reward_model") != "mid") | (pl.col("response_id") != "r0"))
    page.file_uploader[0].upload("scores.csv", missing.write_csv().encode(), "text/csv")
    page = page.run()
    (incomplete,) = (box for box in page.selectbox if box.label == "Scores that not every scorer has")
    (golden,) = (field for field in page.text_input if field.label == "Golden only")
    incomplete.select("drop-model")
    golden.input("small")
    page = page.button(key="import.go").click().run()
    notes = [info.value.replace("\\", "") for info in page.info]
    assert any("golden: small" in note for note in notes)
    assert any("left out: reward models mid" in note for note in notes)
    with store.open_read_only(two) as connection:
        run_id = reads.runs.all_runs(connection)["run_id"][0]
        roles = reads.runs.reward_models(connection, run_id).select("reward_model_id", "role").rows()
    assert roles == [("big", "proxy"), ("small", "golden")]


def test_files_are_imported_and_their_run_is_chosen(two: Path, tmp_path: Path, open_view: OpenPage) -> None:
    page = import_form(open_view("runs", two))
    scores = files.write(files.long_frame(), tmp_path / "scores.csv").read_bytes()
    page.file_uploader[0].upload("scores.csv", scores, "text/csv")
    page = page.text_input[0].set_value("theirs").run()
    page = page.button(key="import.go").click().run()
    assert not page.exception
    assert "3 reward models" in page.success[0].value
    assert address(page)["run"] == ["theirs"]
    assert any("published" in badge for badge in badges(page))
    assert "Results only" in said(page)
    with store.open_read_only(two) as connection:
        assert "theirs" in reads.runs.all_runs(connection)["run_id"].to_list()


def test_columns_are_seen_and_named_before_an_import(two: Path, tmp_path: Path, open_view: OpenPage) -> None:
    page = import_form(open_view("runs", two))
    frame = files.long_frame().select(
        meta=pl.struct(item="prompt_id"), answer="response_id", rm="reward_model", n="score"
    )
    scores = files.write(frame, tmp_path / "scores.jsonl").read_bytes()
    page.file_uploader[0].upload("scores.jsonl", scores, "application/json")
    page = page.run()
    assert page.dataframe[0].value["meta"][0] == '{"item": "p0"}'
    assert page.dataframe[0].value["n"].to_list() == frame["n"][:5].to_list()
    uploads = page.session_state["import.uploads"]
    for role, column in {"prompt_id": "meta.item", "response_id": "answer", "reward_model": "rm", "score": "n"}.items():
        page.selectbox(key=f"import.column.{role}.{uploads}").set_value(column)
    page = page.run().button(key="import.go").click().run()
    assert not page.exception
    assert "3 reward models" in page.success[0].value


def test_a_file_that_cannot_be_read_is_named_at_once_and_not_imported(two: Path, open_view: OpenPage) -> None:
    page = import_form(open_view("runs", two))
    page.file_uploader[0].upload("scores.csv", b"prompt_id,score\na\n", "text/csv")
    page = page.run()
    assert "column score\\: got 1 fields, wanted 2" in page.warning[0].value
    assert page.button(key="import.go").disabled
    assert list(two.glob(f"{UPLOAD}*")) == []


def test_what_is_wrong_with_a_file_is_one_line(two: Path, open_view: OpenPage) -> None:
    page = import_form(open_view("runs", two))
    page.file_uploader[0].upload("scores.csv", b"prompt_id,score\na,1\n", "text/csv")
    page = page.run().button(key="import.go").click().run()
    assert not page.exception
    (warning,) = page.warning
    assert "scores\\.csv, row 1" in warning.value
    assert list(two.glob(f"{UPLOAD}*")) == []


def test_what_is_wrong_with_an_import_is_said_until_it_is_dismissed(two: Path, open_view: OpenPage) -> None:
    page = import_form(open_view("runs", two))
    page.file_uploader[0].upload("scores.csv", b"prompt_id,score\na,1\n", "text/csv")
    page = page.run().button(key="import.go").click().run()
    page = page.text_input[0].set_value("another").run()
    (warning,) = page.warning
    assert "scores\\.csv, row 1" in warning.value
    page = page.button(key="import.failed.dismiss").click().run()
    assert not page.warning


def test_runs_are_shown_and_started_beside_a_warehouse_that_cannot_be_read(tmp_path: Path, runs_page: OpenPage) -> None:
    begun(tmp_path, "stopped")
    (tmp_path / "broken.duckdb").write_bytes(b"no database")
    (tmp_path / store.LINK).symlink_to("broken.duckdb")
    page = runs_page(tmp_path)
    assert not page.exception
    (warning,) = page.warning
    assert "cannot be opened" in warning.value
    assert "Resume" in labels(page)
    assert "Start a run" in [expander.label for expander in page.expander]


def test_several_runs_are_compared_at_once(two: Path, open_view: OpenPage) -> None:
    simulated.publish(two, run_id="three", P=8, Q=8, M=3, seed=3)
    page = open_view("runs", two, compare=["three", "one"])
    page.multiselect(key="choose.compare").select("two").run()
    assert not page.exception
    assert choices(page) == {"compare": ["three", "one", "two"]}
    page.segmented_control(key="view-headlines").set_value("Table").run()
    assert set(page.dataframe[0].value["run_id"]) == {"three", "one", "two"}


def test_a_run_gets_a_name_a_note_and_the_pin_on_its_card(two: Path, open_view: OpenPage) -> None:
    page = open_view("runs", two)
    (name,) = (field for field in page.text_input if field.label == "Name" and "label-one" in field.form_id)
    (note,) = (field for field in page.text_area if "label-one" in field.form_id)
    (pin,) = (box for box in page.checkbox if box.label == "Pinned" and "label-one" in box.form_id)
    name.set_value("Less *noise*")
    note.set_value("the second try")
    pin.check()
    (save,) = (button for button in page.button if button.label == "Save" and "label-one" in button.form_id)
    page = save.click().run()
    assert not page.exception
    assert warehouse_labels.read(two) == Labels("one", {"one": Label("Less *noise*", "the second try")})
    assert any("pinned" in badge for badge in badges(page))
    assert "Less \\*noise\\*" in said(page)
    shown = open_view("explore", two)
    (control,) = [box for box in shown.selectbox if box.label == "Run"]
    assert control.value == "one"
    assert "Less *noise* (one)" in control.options
    assert "the second try" in said(shown)


def test_the_recorded_run_is_listed_where_it_is_absent_and_restored_by_a_button(
    two: Path, tmp_path: Path, open_view: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = simulated.publish(tmp_path / "source", run_id="recorded", P=8, Q=8, M=3)
    exchange.export_run(source, None, tmp_path / "package")
    monkeypatch.setattr(jobs.exchange, "RECORDED", tmp_path / "package")
    page = open_view("runs", two)
    assert any("absent" in badge for badge in badges(page))
    page = page.button(key="restore-recorded").click().run()
    assert not page.exception
    assert not any("absent" in badge for badge in badges(page))
    jobs.delete(two, "recorded")
    page = open_view("explore", two, run="recorded")
    assert page.get("vega_lite_chart") == []
    page = page.button(key="restore").click().run()
    assert not page.exception
    assert page.get("vega_lite_chart")
    assert address(page) == {"run": ["recorded"]}


def test_many_runs_are_searched_by_id_name_and_note(two: Path, open_view: OpenPage) -> None:
    for number in range(5):
        simulated.publish(two, run_id=f"more-{number}", P=4, Q=4, M=2)
    jobs.label(two, "two", name="Less noise")
    jobs.label(two, "more-3", note="with LESS data")
    page = open_view("runs", two)
    page.text_input(key="choose.search").set_value("less").run()
    assert not page.exception
    assert choices(page) == {"search": ["less"]}
    listed = said(page)
    assert "Less noise" in listed
    assert "**more\\-3**" in listed
    assert "**more\\-4**" not in listed
