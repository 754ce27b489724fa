"""`righttree score`: the responses of files and of imported runs get scores, which `import` and `measure` use."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.__main__ import main
from pipeline.models.embedded import provision
from tests.conftest import SMOKE_RUN, righttree
from tests.pipeline.reward_models_elsewhere import Server, checkpoint, plain_scores, reward_of, rewards, serving
from warehouse import exchange, reads, store

PROMPTS = {"p1": "What is 2 + 3?", "p2": "Name a colour.", "p3": "Name an animal."}
ANSWERS = {"r1": "It is five, of course.", "r2": "Blue", "r3": "I do not know, sorry."}
TEXTS = [(prompt, answer) for prompt in PROMPTS.values() for answer in ANSWERS.values()]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with an empty data folder in it."""
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def plain_reward(prompt: str, response: str) -> float:
    """What the server gives a text that comes without a chat template."""
    return float(np.float32(reward_of(f"{prompt}\n{response}")))


def long_rows(models: tuple[str, ...] = ("small", "large")) -> list[dict[str, Any]]:
    return [
        {"prompt_id": p, "response_id": r, "reward_model": m, "score": float(np.float32(plain_reward(m, p + r)))}
        | {"prompt": prompt, "response": response}
        for p, prompt in PROMPTS.items()
        for r, response in ANSWERS.items()
        for m in models
    ]


def rewardbench(model: str) -> list[dict[str, Any]]:
    answers = list(ANSWERS.values())
    return [
        {"id": number, "subset": "hep-go", "prompt": prompt, "text_chosen": answers[0], "text_rejected": answers[1]}
        | {"scores_chosen": plain_reward(model, prompt), "scores_rejected": plain_reward(prompt, model)}
        for number, prompt in enumerate(PROMPTS.values())
    ]


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def forms(folder: Path) -> dict[str, list[Path]]:
    """Files of several forms, each with two reward models."""
    long = pl.DataFrame(long_rows())
    wide = long.pivot("reward_model", index=["prompt_id", "response_id", "prompt", "response"], values="score")
    long.write_csv(folder / "long.csv")
    wide.write_parquet(folder / "wide.parquet")
    benchmark = [jsonl(folder / f"{name}.jsonl", rewardbench(name)) for name in ("small", "large")]
    return {"long": [folder / "long.csv"], "wide": [folder / "wide.parquet"], "rewardbench": benchmark}


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl"])
@pytest.mark.parametrize("form", ["long", "wide", "rewardbench"])
def test_the_scores_of_files_are_imported_beside_them(
    form: str, ending: str, desk: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(path) for path in forms(desk)[form]]
    target = str(desk / f"mine{ending}")
    assert main(["score", *files, "--url", server.url, "--name", "mine", "--to", target]) == 0
    said = capsys.readouterr()
    count = 6 if form == "rewardbench" else 9
    assert said.out.startswith(f"wrote {count} scores of mine to {target}")
    assert f"mine scores {count} responses to 3 prompts, {count} distinct texts" in said.err
    assert sorted(path.name for path in desk.iterdir() if "mine" in path.name) == [f"mine{ending}"]
    assert main(["import", *files, target, "--run-id", "both"]) == 0
    with store.open_read_only(desk / "home") as connection:
        rows = connection.execute(
            "SELECT DISTINCT prompt.text AS prompt, response.text AS response, score FROM score "
            "JOIN response USING (run_id, response_id) JOIN prompt USING (run_id, prompt_id) "
            "WHERE reward_model_id = 'mine'"
        ).pl()
        assert reads.runs.reward_models(connection, "both").height >= 3
    assert rows.height == count
    for prompt, response, score in rows.iter_rows():
        assert score == pytest.approx(plain_reward(prompt, response), abs=1e-6)


def test_texts_alone_are_scored_and_two_scorers_make_a_study(desk: Path, server: Server) -> None:
    rows = [{"prompt": prompt, "responses": list(ANSWERS.values())} for prompt in PROMPTS.values()]
    texts = jsonl(desk / "texts.jsonl", rows)
    for name in ("first", "second"):
        assert main(["score", str(texts), "--url", server.url, "--name", name]) == 0
    first = pl.read_parquet(desk / "texts-first.parquet")
    assert first.height == 9
    assert first["score"].to_list() == [plain_reward(*text) for text in first.select("prompt", "response").iter_rows()]
    assert main(["import", "texts-first.parquet", "texts-second.parquet", "--run-id", "both"]) == 0


def test_both_sides_of_preferences_are_scored(desk: Path, server: Server) -> None:
    (desk / "pairs.csv").write_text("prompt,chosen,rejected\nWhy?,Because.,No.\nWhy?,So.,No.\n")
    assert main(["score", "pairs.csv", "--url", server.url, "--name", "mine", "--to", "mine.csv"]) == 0
    rows = pl.read_csv(desk / "mine.csv")
    assert rows.select("prompt_id", "response_id", "response").rows() == [
        ("pair-000001", "chosen", "Because."),
        ("pair-000001", "rejected", "No."),
        ("pair-000002", "chosen", "So."),
        ("pair-000002", "rejected", "No."),
    ]
    assert sum(len(asked["query"]) for asked in server.asked) == 3  # a text that is there twice is scored once


def test_empty_and_missing_texts_are_named_in_a_line_each(
    desk: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = long_rows(("small",))
    rows[4]["response"], rows[5]["response"] = None, None
    for row in rows[6:]:
        row["prompt"] = None
    pl.DataFrame(rows).write_parquet(desk / "long.parquet")
    assert main(["score", "long.parquet", "--url", server.url, "--name", "mine", "--to", "mine.parquet"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "5 responses (p2/r2, p2/r3, p3/r1, …) have no text of prompt or response: not scored"
    assert pl.read_parquet(desk / "mine.parquet").height == 4
    jsonl(desk / "texts.jsonl", [{"prompt": "Why?", "response": text} for text in ("", "So.")])
    assert main(["score", "texts.jsonl", "--url", server.url, "--name", "mine"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "1 response (prompt-000001/response-1) has an empty response: scored as it is"
    assert pl.read_parquet(desk / "texts-mine.parquet")["score"].to_list() == [
        plain_reward("Why?", ""),
        plain_reward("Why?", "So."),
    ]
    pl.DataFrame(rows).drop("prompt", "response").write_parquet(desk / "bare.parquet")
    assert main(["score", "bare.parquet", "--url", server.url, "--name", "mine"]) == 2
    assert "no response has a text with its prompt" in capsys.readouterr().err


def test_a_killed_scoring_is_resumed_and_asks_for_no_text_twice(desk: Path, server: Server) -> None:
    rows = [{"prompt": f"Question {number}?", "response": f"Answer {number}."} for number in range(120)]
    texts = jsonl(desk / "texts.jsonl", rows)

    def slowly(asked: dict[str, Any]) -> tuple[int, bytes]:
        time.sleep(0.6)
        return rewards(asked)

    server.answer = slowly
    command = ["score", str(texts), "--url", server.url, "--name", "mine", "--to", "mine.parquet"]
    options = ["--batch-texts", "16"]
    process = subprocess.Popen([sys.executable, "-m", "pipeline", *command, *options], env=dict(os.environ), cwd=desk)
    end = time.monotonic() + 120
    while len(server.asked) < 6 and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (desk / "mine.parquet").exists()
    parts = pl.concat([pl.read_parquet(path) for path in (desk / "mine.parquet.parts").glob("part-*.parquet")])
    assert 0 < parts.height < 120
    server.answer = rewards
    server.asked.clear()
    assert main([*command, "--batch-texts", "5"]) == 0
    assert sum(len(asked["query"]) for asked in server.asked) == 120 - parts.height
    resumed = pl.read_parquet(desk / "mine.parquet")
    assert not (desk / "mine.parquet.parts").exists()
    assert main(["score", str(texts), "--url", server.url, "--name", "mine", "--to", "again.parquet"]) == 0
    assert_frame_equal(resumed, pl.read_parquet(desk / "again.parquet"))


def test_parts_of_another_reward_model_are_thrown_away(desk: Path, server: Server) -> None:
    texts = jsonl(desk / "texts.jsonl", [{"prompt": "Why?", "response": f"{number}"} for number in range(40)])
    command = ["score", str(texts), "--to", "mine.parquet", "--tries", "1"]
    with serving(lambda asked: (200, json.dumps({"rewards": [9.0] * len(asked["query"])}).encode())) as other:
        healthy, other.answer = other.answer, lambda asked: healthy(asked) if len(other.asked) < 3 else (500, b"")
        assert main([*command, "--url", other.url, "--name", "mine"]) == 2
    assert main([*command, "--url", server.url, "--name", "mine"]) == 0
    assert pl.read_parquet(desk / "mine.parquet")["score"].max() < 1


def test_a_server_gets_the_chat_template_of_a_tokenizer(desk: Path, server: Server) -> None:
    texts = jsonl(desk / "texts.jsonl", [{"prompt": "Why?", "response": "So."}])
    tokenizer = checkpoint(desk / "rm")
    command = ["score", str(texts), "--url", server.url, "--name", "mine"]
    assert main([*command, "--tokenizer", str(tokenizer)]) == 0
    query, prompt = server.asked[-1]["query"][0], server.asked[-1]["prompts"][0]
    assert prompt.endswith("<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n")
    assert query == f"{prompt}So.<|im_end|>"
    bare = checkpoint(desk / "bare", template=False)
    assert main([*command, "--tokenizer", str(bare)]) == 2


def test_the_batch_size_changes_no_score_and_a_model_scores_as_transformers_does(desk: Path) -> None:
    jsonl(desk / "texts.jsonl", [{"prompt": prompt, "response": response} for prompt, response in TEXTS])
    model = checkpoint(desk / "rm")
    scores = {}
    for size in (1, 7):
        target = desk / f"{size}.parquet"
        options = ["--dtype", "float32", "--batch-texts", str(size), "--to", str(target)]
        assert main(["score", "texts.jsonl", "--model", str(model), *options]) == 0
        scores[size] = pl.read_parquet(target)
    texts = list(scores[1].select("prompt", "response").iter_rows())
    assert set(texts) == set(TEXTS)
    np.testing.assert_allclose(scores[1]["score"], scores[7]["score"], atol=1e-5)
    np.testing.assert_allclose(scores[1]["score"], plain_scores(model, texts), atol=1e-5)


def test_an_imported_run_is_published_again_with_the_scorer(
    desk: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    pl.DataFrame(long_rows()).write_csv(desk / "long.csv")
    pairs = [{"prompt_id": "p1", "prompt": None, "chosen": ANSWERS["r1"], "rejected": ANSWERS["r2"]}]
    pl.DataFrame(pairs).write_csv(desk / "pairs.csv")
    values = [
        {"optimizer": "ppo", "strength": 10, "reward_model": m, "golden": g, "prompt_id": p, "value": 1.0}
        for m in ("small", "large")
        for g in ("small", "large")
        for p in PROMPTS
    ]
    pl.DataFrame(values).write_csv(desk / "values.csv")
    assert main(["import", "long.csv", "pairs.csv", "values.csv", "--run-id", "theirs"]) == 0
    before = exchange.run_rows(desk / "home", "theirs")
    capsys.readouterr()
    assert main(["score", "--run", "theirs", "--url", server.url, "--name", "mine", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"run": "theirs-mine", "reward_model": "mine", "scores": 18}
    assert (
        "left out are 2 policies whose responses were not stored, so that what they are worth to it is unknown"
        in said.err
    )
    assert sum(len(asked["query"]) for asked in server.asked) == 9  # both splits have the same texts
    rows = exchange.run_rows(desk / "home", "theirs-mine")
    assert_frame_equal(exchange.run_rows(desk / "home", "theirs")["score"], before["score"])
    for table in ("prompt", "response", "preference"):
        assert_frame_equal(rows[table].drop("run_id"), before[table].drop("run_id"))
    old = rows["score"].filter(pl.col("reward_model_id") != "mine").drop("run_id")
    assert_frame_equal(old, before["score"].drop("run_id"), check_row_order=False)
    scorer = rows["reward_model"].filter(reward_model_id="mine").row(0, named=True)
    assert (scorer["kind"], scorer["base_model"]) == ("server", server.url)
    right = plain_reward(PROMPTS["p1"], ANSWERS["r1"]) > plain_reward(PROMPTS["p1"], ANSWERS["r2"])
    assert scorer["validation_accuracy"] == float(right)
    initial = rows["policy_value"].filter(policy_id="initial", golden_id="mine").sort("prompt_id")
    means = [np.mean([plain_reward(prompt, answer) for answer in ANSWERS.values()]) for prompt in PROMPTS.values()]
    np.testing.assert_allclose(initial["value"], means, rtol=1e-6)
    with store.open_read_only(desk / "home") as connection:
        curves = reads.values.value_curves(connection, "theirs-mine", "bon")
        assert curves.reward_models == ("large", "mine", "small")
        assert curves.strengths == reads.values.value_curves(connection, "theirs", "bon").strengths
        assert reads.runs.default_run(connection) == "theirs-mine"
    assert main(["measure", "--run", "theirs-mine", "--n", "2"]) == 0
    assert main(["add-rm", "--run", "theirs-mine", "--url", server.url, "--name", "more"]) == 0
    assert not list((desk / "home").glob(".scoring*"))


def test_values_of_policies_whose_responses_are_stored_follow_from_the_scores(
    desk: Path, smoke_home: Path, server: Server
) -> None:
    assert righttree("export", str(desk / "exported"), "--run", SMOKE_RUN, home=smoke_home).returncode == 0
    assert main(["import", str(desk / "exported"), "--run-id", "theirs"]) == 0
    assert main(["score", "--run", "theirs", "--url", server.url, "--name", "mine"]) == 0
    rows = exchange.run_rows(desk / "home", "theirs-mine")
    ppo = rows["policy"].filter(optimizer="ppo")["policy_id"]
    values = rows["policy_value"].filter(pl.col("policy_id").is_in(ppo.implode()), golden_id="mine")
    assert values["policy_id"].n_unique() == len(ppo) > 0
    texts = (
        rows["response"]
        .filter(prompt_form="original")
        .join(rows["prompt"].select("prompt_id", prompt="text"), on="prompt_id")
    )
    for policy, prompt_id, value in values.head(3).select("policy_id", "prompt_id", "value").iter_rows():
        answers = texts.filter(policy_id=policy, prompt_id=prompt_id).select("prompt", "text").iter_rows()
        assert value == pytest.approx(np.mean([plain_reward(*text) for text in answers]), rel=1e-6)
    assert main(["measure", "--run", "theirs-mine", "--optimizer", "ppo"]) == 0
    assert main(["measure", "--run", "theirs-mine", "--optimizer", "bon"]) == 0


def test_an_estimate_scores_a_few_texts_and_writes_nothing(
    desk: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    pl.DataFrame(long_rows()).write_csv(desk / "long.csv")
    assert main(["score", "long.csv", "--url", server.url, "--name", "mine", "--estimate"]) == 0
    assert "mine scores 9 texts of long.csv" in capsys.readouterr().out
    assert sorted(path.name for path in desk.iterdir()) == ["long.csv"]


def test_what_cannot_be_scored_is_refused_in_one_line(
    desk: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    provision()
    pl.DataFrame(long_rows()).write_csv(desk / "long.csv")
    pl.DataFrame(long_rows()).drop("prompt").write_csv(desk / "bare.csv")
    for run, file in (("theirs", "long.csv"), ("bare", "bare.csv")):
        assert main(["import", file, "--run-id", run]) == 0
    url = ["--url", server.url, "--name", "mine"]
    capsys.readouterr()
    for arguments, says in (
        (["long.csv", *url, "--to", "mine.txt"], "unknown kind of file"),
        (["long.csv", "--url", server.url, "--name", "small"], "have scores of small already"),
        (["long.csv", *url, "--run", "theirs"], "and not both"),
        ([*url], "give files, or a run"),
        (["--run", "theirs", *url, "--to", "mine.csv"], "leave --to out"),
        (["--run", "theirs", "--url", server.url, "--name", "small"], "has the reward model small already"),
        (["--run", "theirs", *url, "--run-id", "bare"], "run 'bare' exists already"),
        (["--run", "nobody", *url], "run 'nobody' is not in the warehouse"),
        (["--run", "bare", *url], "no text of the prompt"),
        (["nothing.csv", *url], "nothing.csv"),
        (["long.csv", "--model", "nowhere/nothing"], "cannot be loaded"),
        (["long.csv", *url, "--attribute", "0"], "attributes are outputs of a model"),
        (["long.csv", *url, "--weights", "0=half"], "write outputs with numbers"),
    ):
        assert main(["score", *arguments]) == 2, arguments
        line = capsys.readouterr().err.splitlines()[-1]
        assert says in line, (arguments, line)
    assert sorted(path.suffix for path in desk.iterdir()) == ["", ".csv", ".csv"]
