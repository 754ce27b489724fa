"""`righttree add-rm`: a model and a server join a run, score all of it, and are golden and proxy as any other."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline import runs
from pipeline.__main__ import main
from pipeline.config import Config
from pipeline.config.changes import with_steps
from pipeline.models.language_model import load
from pipeline.runs import RunDirectory
from pipeline.scoring import texts
from tests.pipeline.reward_models_elsewhere import checkpoint, plain_scores, reward_of, rewards, serving
from tests.pipeline.runs.test_extend import content, executed, smaller
from tests.pipeline.runs.test_resume import rows
from warehouse import reads, store
from warehouse.schema import TABLES

TRAINED = ("flip-0.00", "flip-0.40")
ALL = ("flip-0.00", "flip-0.40", "far", "near")


class Added:
    """A run with PPO; to it a model is added, to that a server, which stops answering half-way and is resumed."""

    def __init__(self, home: Path, config: Config, patch: pytest.MonkeyPatch) -> None:
        self.home = home
        patch.setenv("RIGHTTREE_HOME", str(home))
        settings = {**smaller(config).model_dump(mode="json"), "ppo": with_steps(None, 1)}
        self.base = executed(runs.create(home, Config.model_validate(settings), "base"))
        self.before = content(self.base)
        self.folder = checkpoint(home / "near")
        model = ["--model", str(self.folder), "--dtype", "float32", "--run-id", "with-near"]
        self.model_code = main(["add-rm", "--run", "base", *model])
        with serving() as server:
            server.answer = lambda asked: rewards(asked) if len(server.asked) <= 4 else (422, b"")
            far = ["--url", server.url, "--name", "far", "--batch-texts", "8", "--run-id", "both"]
            self.stopped_code = main(["add-rm", "--run", "with-near", *far])
            self.finished_when_stopped = self.both.is_finished
            server.answer = rewards
            self.resumed_code = main(["resume", "both"])
            self.url, self.asked = server.url, server.asked

    @property
    def both(self) -> RunDirectory:
        return runs.open_run(self.home, "both")

    def texts(self) -> pl.DataFrame:
        """Every test response of the run with the words of its prompt: `response_id, prompt, text`."""
        run = self.both
        said = pl.when(prompt_form="paraphrase").then("paraphrase").otherwise("words")
        prompts = run.read("prompt").select("prompt_id", "paraphrase", words="text")
        answers = pl.concat([run.read("response", stage) for stage in ("test_responses", "ppo")])
        return answers.join(prompts, on="prompt_id").select("response_id", "text", prompt=said).sort("response_id")

    def scores(self, name: str) -> pl.DataFrame:
        return self.both.read("score").filter(reward_model_id=name).sort("response_id")


@pytest.fixture(scope="module")
def joined(tiny_config: Config, tmp_path_factory: pytest.TempPathFactory) -> Added:
    with pytest.MonkeyPatch.context() as patch:
        return Added(tmp_path_factory.mktemp("added"), tiny_config, patch)


def test_both_join_and_one_that_was_stopped_half_way_is_resumed(joined: Added) -> None:
    assert (joined.model_code, joined.stopped_code, joined.resumed_code) == (0, 2, 0)
    assert not joined.finished_when_stopped
    assert joined.both.config.reward_models.ids == tuple(sorted(ALL))
    assert content(joined.base) == joined.before


def test_a_model_scores_every_response_as_transformers_does(joined: Added) -> None:
    texts = joined.texts()
    scores = joined.scores("near")
    assert scores["response_id"].to_list() == texts["response_id"].to_list()
    plain = plain_scores(joined.folder, list(texts.select("prompt", "text").iter_rows()))
    np.testing.assert_allclose(scores["score"], plain, atol=1e-4)


def test_an_estimate_counts_the_texts_that_are_scored_and_starts_nothing(
    joined: Added, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(joined.home))
    there = runs.run_ids(joined.home)
    assert main(["add-rm", "--run", "base", "--model", str(joined.folder), "--name", "other", "--estimate"]) == 0
    said = capsys.readouterr().out
    near = runs.open_run(joined.home, "with-near")
    pairs = texts.of_pairs(near.read("preference").filter(split="validation"))
    scored = {*joined.texts().select("prompt", "text").iter_rows(), *pairs}
    assert f"other scores {len(scored):,} texts of base" in said
    assert re.search(r"^about [\d.]+ s; up to [\d.]+ [MG]iB of memory", said)
    assert runs.run_ids(joined.home) == there
    assert main(["add-rm", "--run", "base", "--model", str(joined.home), "--estimate"]) == 2


def test_a_server_is_asked_for_every_response_in_the_policys_own_template(joined: Added) -> None:
    texts, policy = joined.texts(), load(joined.both.config.policy.model)
    end = policy.tokenizer.eos_token
    wanted = [
        reward_of(policy.prompt_text(prompt) + text + end)
        for prompt, text in texts.select("prompt", "text").iter_rows()
    ]
    np.testing.assert_array_equal(joined.scores("far")["score"], np.array(wanted, dtype=np.float32))
    assert all(set(asked["labels"]) == {""} for asked in joined.asked)


def test_existing_rows_are_kept(joined: Added) -> None:
    for table in ("response", "score", "reward_model", "ppo_run", "policy_value", "training_curve"):
        old, new = rows(joined.home, "base", table), rows(joined.home, "both", table)
        keys = [name for name in TABLES[table].keys if name != "run_id"]
        assert_frame_equal(new.join(old.select(keys), on=keys, how="semi").sort(keys), old)


def test_they_are_golden_and_proxy_of_best_of_n_and_golden_of_ppo(joined: Added) -> None:
    values = joined.both.read("policy_value")
    assert set(values["golden_id"]) == set(ALL)
    assert values.filter(pl.col("policy_id").str.starts_with("bon-")).select("policy_id", "golden_id").n_unique() == (
        len(joined.both.config.best_of_n) * len(ALL) ** 2
    )
    judged = values.filter(pl.col("policy_id").str.starts_with("ppo-")).select("policy_id", "golden_id").unique()
    assert set(judged.iter_rows()) == {(f"ppo-1/{proxy}", golden) for proxy in TRAINED for golden in ALL}


def test_the_warehouse_says_how_they_came_about_and_leaves_ppo_to_those_it_was_run_against(joined: Added) -> None:
    with store.open_read_only(joined.home) as connection:
        models = {
            row["reward_model_id"]: row for row in reads.runs.reward_models(connection, "both").iter_rows(named=True)
        }
        assert (models["far"]["kind"], models["far"]["base_model"]) == ("server", joined.url)
        near = models["near"]
        assert (near["kind"], near["weights"], near["train_pairs"]) == ("model", None, None)
        assert near["base_model"] == joined.both.config.reward_models.added[0].origin
        assert all(0.0 <= row["validation_accuracy"] <= 1.0 for row in models.values())
        assert reads.values.value_curves(connection, "both", "bon").reward_models == tuple(sorted(ALL))
        assert reads.values.value_curves(connection, "both", "ppo").reward_models == TRAINED
        assert reads.scores.score_cube(connection, "both").reward_models == tuple(sorted(ALL))


def test_what_cannot_score_is_refused_before_a_run_is_made(
    joined: Added, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(joined.home))
    there = runs.run_ids(joined.home)
    two = checkpoint(joined.home / "two-labels", labels=2)
    with serving(lambda _: (200, b'{"rewards": [NaN]}')) as server:
        for options, says in (
            (["--model", str(two)], "has 2 outputs"),
            (["--url", server.url], "got the reward nan"),
            (["--url", "file:///etc/passwd"], "has to be http://"),
            (["--url", server.url, "--name", "near"], "has the reward model near already"),
            (["--url", server.url, "--name", "../x"], "name"),
            (["--url", server.url, "--tries", "0"], "tries"),
        ):
            assert main(["add-rm", "--run", "both", *options]) == 2
            line = capsys.readouterr().err
            assert says in line
            assert line.count("\n") == 1
    assert runs.run_ids(joined.home) == there
