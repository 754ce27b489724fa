"""One place scores texts with all reward models of a run: those of the run's own stage, to the bit."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import polars as pl
import pytest

from pipeline import runs
from pipeline.context import Context
from pipeline.errors import ModelUnavailable
from pipeline.runs import RunDirectory
from pipeline.runs.progress import Progress
from pipeline.scoring import texts
from pipeline.scoring.scorer import Scorer
from pipeline.stages import STAGES
from tests.conftest import SMOKE_RUN


@pytest.fixture
def context(smoke_home: Path, tmp_path: Path) -> Context:
    """The smoke run, copied so that the test writes into no log but its own."""
    source = runs.open_run(smoke_home, SMOKE_RUN)
    copied = RunDirectory(tmp_path / SMOKE_RUN, source.config)
    shutil.copytree(source.path, copied.path, ignore=shutil.ignore_patterns("features"))
    return Context(copied, Progress(copied, list(STAGES), io.StringIO()))


def test_scores_are_those_that_the_run_stored(context: Context) -> None:
    prompts = context.run.read("prompt").select("prompt_id", prompt="text")
    responses = context.run.read("response", "test_responses").join(prompts, on="prompt_id")
    responses = responses.filter(policy_id="initial", prompt_form="original")
    batch = texts.batches(responses.select("prompt", "text").iter_rows())[1]
    scorer = Scorer(context)
    assert scorer.ids == list(context.config.reward_models.ids)
    scored = scorer.score([*batch, batch[0]])
    assert scored.columns == ["prompt", "text", *scorer.ids]
    assert list(scored.select("prompt", "text").iter_rows()) == batch
    stored = context.run.read("score").join(responses, on="response_id")
    for name in scorer.ids:
        both = scored.join(stored.filter(reward_model_id=name), on=["prompt", "text"])
        assert both.height >= len(batch)
        assert both[name].equals(both["score"])


def test_no_texts_give_no_rows_but_all_columns(context: Context) -> None:
    scorer = Scorer(context)
    empty = scorer.score([])
    assert empty.schema == {"prompt": pl.String, "text": pl.String} | dict.fromkeys(scorer.ids, pl.Float32)


def test_lost_weights_are_named(context: Context) -> None:
    shutil.rmtree(context.run.work_path("reward_models", "depth-0"))
    with pytest.raises(ModelUnavailable, match=r"no reward model in .*depth-0"):
        Scorer(context).score([("Name a colour.", "Blue.")])


def test_texts_of_a_prompt_share_a_batch_up_to_a_number_beyond_which_attention_would_need_too_much() -> None:
    few = [("a", str(number)) for number in range(100)]
    assert [len(batch) for batch in texts.batches([*few, ("bb", "x")])] == [100, 1]
    many = [("a", str(number)) for number in range(300)]
    batches = texts.batches(many)
    assert [len(batch) for batch in batches] == [128, 128, 44]
    assert sorted(text for batch in batches for text in batch) == sorted(many)
