"""The command line: what it prints, and one line with exit code 2 for bad input."""

from __future__ import annotations

import json
import math
import re
from importlib import metadata
from pathlib import Path

import polars as pl
import pytest

from pipeline.__main__ import build_parser, main
from pipeline.config import load_profile
from pipeline.runs import exchange
from pipeline.stages import STAGES
from tests.conftest import SMOKE_RUN, righttree, righttree_process
from warehouse import reads, store
from warehouse.exchange import export_run
from warehouse.study import MEASURES

COMMANDS = ("run", "resume", "extend", "add-rm", "cancel", "delete", "runs", "publish", "measure", "predict")
COMMANDS += ("power", "findings", "import", "data", "outcomes", "ensemble", "export", "export-rm", "app", "doctor")


def test_help_names_every_command_and_where_things_are() -> None:
    text = build_parser().format_help()
    for command in COMMANDS:
        assert re.search(rf"\n    {command}\s", text)
    assert "RIGHTTREE_HOME" in text
    assert "examples:" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    parser = next(a for a in build_parser()._actions if a.dest == "==SUPPRESS==" or a.choices).choices[command]
    assert all(action.help for action in parser._actions)
    assert capsys.readouterr().out.startswith("usage: righttree")


def test_measure_prints_one_json_object_with_the_public_names(smoke_home: Path) -> None:
    arguments = ["measure", "--measure", "accuracy", "--optimizer", "bon", "--n", "8", "--category", "all"]
    arguments += ["--responses", "5", "--json"]
    done = righttree_process(*arguments, "--run", SMOKE_RUN, home=smoke_home)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["measure"], found["optimizer"], found["strength"]) == ("accuracy", "bon", 8.0)
    assert found["undefined_pairs"] >= 0
    M = len(load_profile("smoke").reward_models.ids)
    assert len(found["pairs"]) == M * (M - 1)
    for pair in found["pairs"]:
        assert set(pair) == {"golden", "proxy", "value", "ndr"}
        assert 0 <= pair["value"] <= 1
    for name in ("kendall", "spearman", "pearson", "mrr"):
        others = {"sample", "measure_itself", "ceiling"}
        assert set(found[name]) == {"value", "low", "high", "p_value"} | others
        for other in others:
            assert set(found[name][other]) == {"value", "low", "high"}
    assert found["undefined_pairs"] == sum(pair["ndr"] is None for pair in found["pairs"])


def test_the_json_has_the_names_that_the_notebook_page_promises(smoke_home: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "notebook.md").read_text()
    listed = page.partition("write one object:")[2].partition("With `--measure all`")[0]
    promised = set(re.findall(r"`([a-z_]+)`", listed))
    found = json.loads(
        righttree("measure", "--optimizer", "ppo", "--kl-coefficient", "0", "--json", home=smoke_home).stdout
    )
    at_kl = json.loads(righttree("measure", "--kl", "0.5", "--json", home=smoke_home).stdout)
    names = {*found, *at_kl, *found["kendall"], *found["pairs"][0]}
    assert names == promised
    assert found["schema_version"] == 5
    assert (found["repeats"], found["single_repeats"]) == (1, len({pair["proxy"] for pair in found["pairs"]}))
    assert (at_kl["repeats"], at_kl["single_repeats"]) == (None, None)
    assert found["estimand"] == "this test set"
    assert found["shared_prompts"] == 0


def test_measure_takes_the_newest_run_and_the_largest_strength(smoke_home: Path) -> None:
    found = json.loads(righttree("measure", "--json", home=smoke_home).stdout)
    assert (found["run"], found["strength"]) == (SMOKE_RUN, 8.0)


@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_every_measure_can_be_printed(
    smoke_home: Path, measure: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(smoke_home))
    assert main(["measure", "--measure", measure, "--n", "4", "--replicates", "50"]) == 0
    text = capsys.readouterr().out
    assert f"{measure} against NDR of bon at 4" in text
    assert "kendall" in text


def measured(home: Path, *options: str) -> dict:
    done = righttree("measure", "--n", "4", "--replicates", "60", "--json", *options, home=home)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_all_measures_come_in_one_object_each_as_if_alone(smoke_home: Path) -> None:
    found = measured(smoke_home, "--measure", "all")
    assert [one["measure"] for one in found["measures"]] == list(MEASURES)
    assert found["measures"][0] == measured(smoke_home, "--measure", "accuracy")


def test_two_measures_are_compared_on_the_same_draws(smoke_home: Path) -> None:
    found = measured(smoke_home, "--compare", "spearman,accuracy")
    kendall = [found[side]["kendall"]["sample"]["value"] for side in ("first", "second")]
    assert found["difference"]["kendall"]["value"] == pytest.approx(kendall[0] - kendall[1])
    same = measured(smoke_home, "--compare", "accuracy,accuracy")
    assert same["difference"]["kendall"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_test_set_constructions_change_what_is_measured(smoke_home: Path) -> None:
    plain = measured(smoke_home)
    for options in (["--noise", "0.3"], ["--rank-bins", "2"], ["--responses", "3"], ["--category", "safety"]):
        assert measured(smoke_home, *options)["pairs"] != plain["pairs"], options
    assert measured(smoke_home, "--budget", "20", "--responses", "4")["rm_test_prompts"] == 5
    assert measured(smoke_home, "--prompts", "6")["rm_test_prompts"] == 6
    assert measured(smoke_home, "--level", "within")["kendall"] != plain["kendall"]


def test_sources_and_paraphrases_change_what_is_measured_and_are_named(smoke_home: Path) -> None:
    plain = measured(smoke_home)
    assert (plain["source"], plain["paraphrase"]) == ("initial", 0.0)
    hotter = measured(smoke_home, "--source", "initial-t1.50")
    both = measured(smoke_home, "--source", "initial, initial-t1.50", "--responses", "7")
    paraphrased = measured(smoke_home, "--paraphrase", "0.5")
    assert (hotter["source"], both["source"], paraphrased["paraphrase"]) == (
        "initial-t1.50",
        "initial,initial-t1.50",
        0.5,
    )
    values = [[pair["value"] for pair in found["pairs"]] for found in (plain, hotter, both, paraphrased)]
    assert all(one != other for number, one in enumerate(values) for other in values[:number])
    for found in (hotter, both, paraphrased):
        assert [pair["ndr"] for pair in found["pairs"]] == [pair["ndr"] for pair in plain["pairs"]]
        assert found["rm_test_prompts"] == plain["rm_test_prompts"]


def test_policies_at_the_same_kl_take_the_place_of_a_strength(smoke_home: Path) -> None:
    bound = math.log(4) - 3 / 4
    done = righttree("measure", "--kl", str(bound), "--replicates", "60", "--json", home=smoke_home)
    assert done.returncode == 0, done.stderr
    at_kl, at_n = json.loads(done.stdout), measured(smoke_home)
    assert at_kl["kl"] == bound
    assert "strength" not in at_kl
    for one, other in zip(at_kl["pairs"], at_n["pairs"], strict=True):
        assert one["ndr"] == pytest.approx(other["ndr"])
    assert (
        "NDR of ppo at a KL of 1e-06 nats"
        in righttree("measure", "--optimizer", "ppo", "--kl", "1e-6", home=smoke_home).stdout
    )


@pytest.mark.parametrize("ending", ["json", "csv", "parquet"])
def test_what_is_printed_can_be_exported(smoke_home: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"found.{ending}"
    found = measured(smoke_home, "--export", str(path))
    if ending == "json":
        assert json.loads(path.read_text()) == found
    else:
        rows = pl.read_csv(path) if ending == "csv" else pl.read_parquet(path)
        assert rows["value"].to_list() == [pair["value"] for pair in found["pairs"]]
        assert set(rows["kendall_value"]) == {found["kendall"]["value"]}
        assert set(rows["kendall_measure_itself_high"]) == {found["kendall"]["measure_itself"]["high"]}
        assert set(rows["kendall_p_value"]) == {found["kendall"]["p_value"]}
        assert set(rows["estimand"]) == {"this test set"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("run --profile qwick", "profile 'qwick' does not exist"),
        ("run --run-id ../x --profile smoke", "run id"),
        (f"run --run-id {SMOKE_RUN} --profile smoke", "exists already"),
        ("resume nothing", "no run 'nothing'"),
        ("publish nothing", "no run 'nothing'"),
        ("measure --measure vibes", "no measure 'vibes'; there are accuracy"),
        ("measure --run nothing", "run 'nothing' is not in the warehouse"),
        ("measure --optimizer dpo", "no policies of optimiser 'dpo'"),
        ("measure --n 3", "no policies of 'bon' at 3"),
        ("measure --category Chatter", "no category 'Chatter'"),
        ("measure --subset nothing", "no RM-test prompts of subset 'nothing'"),
        ("measure --responses 99", "righttree: --responses is 99"),
        ("measure --export found.txt", "has to end in .json, .csv or .parquet"),
        (
            "measure --export /nowhere/found.csv",
            "--export /nowhere/found.csv: there is no folder /nowhere",
        ),
        (
            "audit --export /nowhere/items.csv",
            "--export /nowhere/items.csv: there is no folder /nowhere",
        ),
        ("findings --output /nowhere/f.md", "--output /nowhere/f.md: there is no folder /nowhere; make it first"),
        ("report flip-0.00 --output /nowhere/c.html", "there is no folder /nowhere; make it first"),
        ("report flip-0.00 --output /tmp", "--output /tmp: it is a folder; name a file"),
        ("measure --export /dev/null.csv/x.csv", "there is no folder /dev/null.csv; make it first"),
        ("measure --compare accuracy", "give two measures"),
        ("measure --noise 0.7", "righttree: --noise is 0.7"),
        ("measure --rank-bins 9", "righttree: --rank-bins is 9"),
        ("measure --replicates 0", "righttree: --replicates is 0"),
        ("measure --source nobody", "no source 'nobody'; run 'smoke-test' has, with responses per prompt: initial (5)"),
        ("measure --source initial-t1.50 --paraphrase 0.5", "'initial-t1.50' has no responses to paraphrases"),
        ("measure --paraphrase 1.5", "paraphrase is 1.5"),
        ("measure --rank-bins 3 --chosen-bin 9 --rejected-bin 1", "righttree: --chosen-bin is 9, --rejected-bin 1; it"),
        ("measure --chosen-bin 2 --rejected-bin 1", "a bin is chosen but --rank-bins is not set"),
        ("choose --strength 2.5", "righttree: --strength is 2.5; best-of-n draws a whole number"),
        ("choose --n 2.5", "righttree: --n is 2.5; best-of-n draws a whole number"),
        ("power --difference 0", "righttree: --difference is 0"),
        ("power --power 2", "righttree: --power is 2"),
        ("run --profile smoke --seed -1 --estimate", "profile smoke: --seed: "),
        ("run --profile smoke --sampler dice --estimate", "profile smoke: --sampler: "),
        ("add-rm --run smoke-test --url http://host --batch-texts 0", "righttree: --batch-texts: "),
        ("add-rm --run smoke-test --url http://me:hunter2@host", "righttree: --url: must hold no user name"),
        ("extend smoke-test --flip-rate 2 --estimate", "--flip-rate: "),
        ("measure --kl 99", "righttree: --kl is 99 nats; no policy gets that far"),
        ("measure --kl 0", "righttree: --kl is 0; give nats above 0"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(smoke_home: Path, arguments: str, message: str) -> None:
    before = sorted(smoke_home.rglob("*"))
    done = righttree(*arguments.split(), home=smoke_home)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(smoke_home.rglob("*")) == before


def test_bad_input_ends_a_process_with_the_same(smoke_home: Path) -> None:
    arguments = ("measure", "--measure", "vibes")
    own, called = righttree_process(*arguments, home=smoke_home), righttree(*arguments, home=smoke_home)
    assert (own.returncode, own.stdout, own.stderr) == (called.returncode, called.stdout, called.stderr)


def test_an_unknown_command_or_option_ends_with_exit_code_2(tmp_path: Path) -> None:
    for arguments in (["fly"], ["run", "--speed", "9"], ["run", "--seed", "one"], ["measure", "--n", "2", "--kl", "1"]):
        done = righttree(*arguments, home=tmp_path)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    assert "righttree run --profile quick" in righttree("runs", home=tmp_path).stdout
    done = righttree("publish", home=tmp_path)
    assert done.returncode == 2
    assert "righttree run --profile quick" in done.stderr
    assert righttree("resume", home=tmp_path).stdout.startswith("nothing to resume")


@pytest.mark.parametrize(
    "command",
    [
        ("runs",),
        ("measure", "--replicates", "10"),
        ("findings", "--replicates", "10", "--output", "FOLDER/findings.md"),
        ("export", "FOLDER/exported"),
    ],
    ids=lambda command: command[0],
)
def test_the_recorded_run_is_there_from_the_first_command_on(
    smoke_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """The one that comes along for `runs`; for the others a small one, which is published in the same way."""
    home = tmp_path / "home"
    if command != ("runs",):
        export_run(smoke_home, SMOKE_RUN, tmp_path / "recorded")
        monkeypatch.setattr(exchange, "RECORDED", tmp_path / "recorded")
    done = righttree(*(word.replace("FOLDER", str(tmp_path)) for word in command), home=home)
    assert done.returncode == 0, done.stderr
    with store.open_read_only(home) as connection:
        (run_id,) = reads.runs.all_runs(connection)["run_id"]
    assert f"published {run_id}, the recorded run: " in done.stderr
    assert run_id == ("recorded" if command == ("runs",) else SMOKE_RUN)
    assert run_id in done.stdout
    again = righttree("runs", home=home)
    assert (again.returncode, again.stderr) == (0, "")
    assert f"{run_id}  published" in again.stdout


@pytest.mark.parametrize("command", [("runs",), ("measure",), ("findings",), ("export", "exported")])
def test_a_folder_that_cannot_be_written_says_so_in_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("")
    done = righttree(*command, home=tmp_path / "file" / "home")
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if command == ("runs",) else 2)
    (line,) = done.stderr.splitlines()
    assert line.startswith("righttree: the recorded run cannot be published: ")
    assert "cannot be written (Not a directory)" in line


def test_runs_lists_state_and_stages(smoke_home: Path) -> None:
    line = righttree("runs", home=smoke_home).stdout.splitlines()[0]
    assert line.startswith(f"{SMOKE_RUN}  published    {len(STAGES)}/{len(STAGES)} stages")


def test_doctor_finds_everything_with_a_run_and_says_what_is_missing_without(smoke_home: Path, tmp_path: Path) -> None:
    healthy = righttree("doctor", home=smoke_home)
    assert healthy.returncode == 0, healthy.stdout
    assert SMOKE_RUN in healthy.stdout
    assert "MISSING" not in healthy.stdout
    assert "openrlhf: RIGHTTREE_OPENRLHF_PYTHON is not set; only engine 'openrlhf' needs it" in healthy.stdout
    empty = righttree("doctor", home=tmp_path)
    assert empty.returncode == 1
    assert "MISSING warehouse" in empty.stdout
    assert "→ righttree run --profile quick" in empty.stdout


def test_publishing_again_changes_nothing_but_the_build(smoke_home: Path, tmp_path: Path) -> None:
    import shutil

    from warehouse import reads, store

    copy = tmp_path / "home"
    shutil.copytree(smoke_home, copy, symlinks=True)
    before = store.build_id(copy)
    done = righttree("publish", home=copy)
    assert done.returncode == 0, done.stderr
    assert store.build_id(copy) != before
    with store.open_read_only(copy) as connection:
        assert reads.runs.all_runs(connection).height == 1


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"righttree {metadata.version('righttree')}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            f"measure --replicates {'9' * 30}",
            f"--replicates is {'9' * 30}; the bootstrap takes 1 or more, at most 100,000",
        ),
        ("choose --n nan", "--n is nan; best-of-n draws a whole number"),
        ("choose --n inf", "--n is inf; best-of-n draws a whole number"),
        ("ensemble --run smoke-test --members ,", "--members is empty; an ensemble takes two or more"),
        ("audit --items -1", "--items is -1; give 0 or more"),
        ("measure --budget -1", "--budget is -1, for -1 prompts"),
        ("data x.csv --ranked-pairs 0", "--ranked-pairs is 0; give 1 or more"),
        ("data x.csv --validation-share 2", "--validation-share is 2.0; give 0 or more"),
        ("extend smoke-test --reward-model depth=x --estimate", "--reward-model: trainable_layers: "),
        ("extend smoke-test --rl-test-samples 99999 --estimate", "--rl-test-samples: Input should be less than"),
        ("score x.csv --model ./nowhere", "model './nowhere': there is no such folder"),
        ("measure --outcome elo", "add some with `righttree outcomes FILE --run smoke-test`"),
    ],
)
def test_a_bad_argument_is_no_traceback_and_its_option_is_named(smoke_home: Path, arguments: str, message: str) -> None:
    done = righttree(*arguments.split(), home=smoke_home)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_names_in_an_option_may_have_line_breaks(smoke_home: Path) -> None:
    done = righttree("measure", "--golden", "flip-0.00\nnobody", home=smoke_home)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "no scorer 'nobody'" in done.stderr
