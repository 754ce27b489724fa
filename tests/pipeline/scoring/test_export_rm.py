"""A run's reward model leaves as a Hugging Face folder and scores what it scored in the run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import runs
from pipeline.models.classifier import load_classifier
from pipeline.models.language_model import load
from pipeline.models.reward_model import load_reward_model
from pipeline.scoring import added
from tests.conftest import SMOKE_RUN, righttree
from tests.pipeline.models.tiny import score_texts


@pytest.fixture(scope="module")
def folder(smoke_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reward model `flip-0.20` of the smoke run, whose top block is its own."""
    target = tmp_path_factory.mktemp("exported") / "rm"
    done = exported(smoke_home, "flip-0.20", target)
    assert done.returncode == 0, done.stderr
    assert f"flip-0.20 of {SMOKE_RUN} is in {target}, float32" in done.stdout
    return target


def exported(home: Path, name: str, target: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return righttree("export-rm", "--run", SMOKE_RUN, "--reward-model", name, str(target), *more, home=home)


def test_it_gives_the_run_s_scores_exactly_in_float32_and_to_the_rounding_of_bfloat16(
    folder: Path, smoke_home: Path
) -> None:
    """The rounding of bfloat16 depends on the processor: the folder's error is that of the same weights."""
    run = runs.open_run(smoke_home, SMOKE_RUN)
    scores = run.read("score").filter(reward_model_id="flip-0.20")
    stored = (
        scores.join(run.read("response"), on="response_id")
        .join(run.read("prompt").select("prompt_id", prompt="text"), on="prompt_id")
        .filter(prompt_form="original")
        .sort("response_id")
        .head(48)
    )
    texts = list(stored.select("prompt", "text").iter_rows())
    exact_model = load(run.config.policy.model, dtype=torch.float32)
    weights = run.work_path("reward_models", "flip-0.20")
    exact = score_texts(exact_model, load_reward_model(weights, exact_model), texts)
    rounded_model = load(run.config.policy.model, dtype=torch.bfloat16)
    rounded = score_texts(rounded_model, load_reward_model(weights, rounded_model), texts)

    def error(scores: np.ndarray) -> float:
        return float(np.sqrt(np.mean((scores - exact) ** 2)))

    read = {
        dtype: load_classifier(added.settings_of(model=str(folder), dtype=dtype)).score(texts)
        for dtype in ("float32", "bfloat16")
    }
    assert np.ptp(exact) > 0.3
    np.testing.assert_allclose(read["float32"], exact, atol=1e-3)
    assert error(stored["score"].to_numpy()) < 0.1 * np.ptp(exact)  # of a run in either precision
    assert 0 < error(rounded) < 0.1 * np.ptp(exact)
    assert error(read["bfloat16"]) < 2 * error(rounded)
    assert np.corrcoef(read["bfloat16"], rounded)[0, 1] > 0.98


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        (
            "flip-0.99",
            (),
            "reward model 'flip-0.99' of run smoke-test is unknown; the run has trained depth-0, flip-0.00",
        ),
        ("flip-0.00", ("--dtype", "float64"), "dtype 'float64' is unknown; give one of float32, bfloat16"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_one_line(
    smoke_home: Path, tmp_path: Path, name: str, more: tuple[str, ...], said: str
) -> None:
    done = exported(smoke_home, name, tmp_path / "rm", *more)
    assert done.returncode == 2
    assert done.stderr.startswith(f"righttree: {said}")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(smoke_home: Path, tmp_path: Path) -> None:
    (tmp_path / "rm").mkdir()
    done = exported(smoke_home, "flip-0.00", tmp_path / "rm")
    assert (done.returncode, done.stderr.count("exists already; name a folder that does not")) == (2, 1)
    assert list((tmp_path / "rm").iterdir()) == []
