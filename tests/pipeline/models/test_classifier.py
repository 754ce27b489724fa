"""A Hugging Face classifier scores as transformers does one text at a time; what is no reward model is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipeline.errors import ModelUnavailable, NoScore
from pipeline.models.classifier import Classifier, load_classifier
from pipeline.scoring import added
from tests.pipeline.reward_models_elsewhere import checkpoint, plain_scores

TEXTS = [
    ("What is 2 + 3?", "5"),
    ("What is 2 + 3?", "It is six, I believe, since two and three make more than five."),
    ("Name a colour.", "Blue is a colour that many people like.<|im_end|>"),
    ("Name a colour.", ""),
]


def loaded(folder: Path, dtype: str = "float32") -> Classifier:
    return load_classifier(added.settings_of(model=str(folder), dtype=dtype, batch_texts=3))


@pytest.mark.parametrize("padding", [True, False])
def test_batches_change_nothing_but_rounding(padding: bool, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "rm", padding=padding)
    plain = plain_scores(folder, TEXTS)
    assert np.ptp(plain) > 0.1
    np.testing.assert_allclose(loaded(folder).score(TEXTS), plain, atol=1e-4)
    np.testing.assert_allclose(loaded(folder, "bfloat16").score(TEXTS), plain, atol=0.2 * np.ptp(plain))


def test_a_model_is_named_after_its_folder_and_pinned_by_its_files(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "my rm")
    settings = added.settings_of(model=str(folder))
    assert (settings.name, settings.kind) == ("my-rm", "model")
    assert settings.origin.startswith(f"{folder}@sha256:")
    assert added.settings_of(model=str(folder)) == settings
    weights = load_file(folder / "model.safetensors")
    weights["score.weight"] += 1.0
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelUnavailable, match="are not those that were added"):
        load_classifier(settings)


def test_what_is_no_reward_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"has 2 outputs \(0, 1\); choose one with --attribute"):
        loaded(checkpoint(tmp_path / "two", labels=2))
    with pytest.raises(ModelUnavailable, match="lacks a head"):
        loaded(checkpoint(tmp_path / "causal", causal=True))
    with pytest.raises(ModelUnavailable, match="no chat template"):
        loaded(checkpoint(tmp_path / "bare", template=False))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        loaded(tmp_path / "empty")


def test_weights_that_are_cut_off_or_of_another_shape_are_refused(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "rm")
    weights = load_file(folder / "model.safetensors")
    weights["score.weight"] = weights["score.weight"][:, :8].contiguous()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelUnavailable, match=r"head score.weight is \[1, 8\]; wanted \[outputs, 16\]"):
        loaded(folder)
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        loaded(folder)


def test_pickled_weights_are_never_read(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "rm")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelUnavailable, match=r"pickles, .* python -c .*pytorch_model\.bin"):
        loaded(folder)


def test_scores_that_are_not_finite_and_texts_that_are_too_long_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NoScore, match="tokens and the model reads 32"):
        loaded(checkpoint(tmp_path / "short", max_position_embeddings=32)).score([("Why?", "Because. " * 40)])
    folder = checkpoint(tmp_path / "rm")
    weights = load_file(folder / "model.safetensors")
    weights["score.weight"][:] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(NoScore, match="is not finite"):
        loaded(folder).score(TEXTS)
