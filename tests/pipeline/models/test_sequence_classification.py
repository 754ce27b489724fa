"""An exported reward model scores as ours does, however it is padded, whoever loads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from pipeline.errors import ModelUnavailable
from pipeline.models.classifier import load_classifier
from pipeline.models.language_model import LanguageModel
from pipeline.models.reward_model import RewardModel
from pipeline.models.sequence_classification import save
from pipeline.scoring import added
from pipeline.scoring.texts import Text
from tests.pipeline.backends.openrlhf.wheel import openrlhf_wheel, reward_model_class
from tests.pipeline.models.tiny import score_texts, tiny_model

TEXTS = [
    ("What is 2 + 3?", "5"),
    ("What is 2 + 3?", "It is six, I believe, since two and three make more than five."),
    ("Name a colour.", "Blue is a colour that many people like."),
    ("Name a colour.", ""),
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return tiny_model(tmp_path_factory.mktemp("tiny"))


def exported(language_model: LanguageModel, layers: int, folder: Path) -> np.ndarray:
    """Write a reward model whose weights are all its own; returns the scores that it gives."""
    reward_model = RewardModel(language_model, layers)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in reward_model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    folder.mkdir()
    save(language_model, reward_model, folder, "float32", TEXTS)
    scores = score_texts(language_model, reward_model.eval(), TEXTS)
    assert np.ptp(scores) > 0.1
    return scores


def tokens_of(folder: Path, texts: list[Text], side: str, width: int) -> dict[str, torch.Tensor]:
    """What a user of the folder feeds: its own chat template and padding."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, padding_side=side)
    turns = [
        [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}] for prompt, response in texts
    ]
    rendered = [tokenizer.apply_chat_template(conversation, tokenize=False) for conversation in turns]
    options = {"padding": "max_length", "max_length": width} if width else {"padding": True}
    return dict(tokenizer(rendered, add_special_tokens=False, return_tensors="pt", **options))


@torch.no_grad()
def scores_of(folder: Path, side: str = "right", width: int = 0) -> np.ndarray:
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    assert model.config.num_labels == 1
    inputs = tokens_of(folder, TEXTS, side, width)
    return model(**{name: inputs[name] for name in ("input_ids", "attention_mask")}).logits[:, 0].numpy()


@pytest.mark.parametrize("layers", [0, 1, -1])
def test_transformers_gives_the_same_scores_with_and_without_padding(
    tiny: LanguageModel, layers: int, tmp_path: Path
) -> None:
    scores = exported(tiny, layers, tmp_path / "rm")
    np.testing.assert_allclose(scores_of(tmp_path / "rm"), scores, atol=1e-4)
    np.testing.assert_allclose(scores_of(tmp_path / "rm", width=150), scores, atol=1e-4)
    one_by_one = [scores_of_one(tmp_path / "rm", text) for text in TEXTS]
    np.testing.assert_allclose(one_by_one, scores, atol=1e-4)


@torch.no_grad()
def scores_of_one(folder: Path, text: Text) -> float:
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    return float(model(input_ids=tokens_of(folder, [text], "right", 0)["input_ids"]).logits[0, 0])


def test_the_classifier_of_add_rm_reads_it_back(tiny: LanguageModel, tmp_path: Path) -> None:
    scores = exported(tiny, 2, tmp_path / "rm")
    read = load_classifier(added.settings_of(model=str(tmp_path / "rm"), dtype="float32", batch_texts=3)).score(TEXTS)
    np.testing.assert_allclose(read, scores, atol=1e-4)
    rounded = load_classifier(added.settings_of(model=str(tmp_path / "rm"))).score(TEXTS)
    np.testing.assert_allclose(rounded, scores, atol=0.1 * np.ptp(scores))


def test_the_text_ends_where_ours_ends_and_padding_is_no_end(tiny: LanguageModel, tmp_path: Path) -> None:
    exported(tiny, 0, tmp_path / "rm")
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path / "rm")
    assert tiny.tokenizer.pad_token_id == tiny.end_id
    assert tokenizer.pad_token_id != tokenizer.eos_token_id == tiny.end_id
    prompt, response = TEXTS[1]
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
    rendered = tokenizer.apply_chat_template(turns, tokenize=False)
    assert rendered == f"{tiny.prompt_text(prompt)}{response}{tokenizer.eos_token}"
    asked = tokenizer.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True)
    assert asked == tiny.prompt_text(prompt)


def test_without_a_special_token_to_spare_there_is_a_new_one(tiny: LanguageModel, tmp_path: Path) -> None:
    bare = tiny_model(tmp_path / "base")
    for name in ("unk_token", "bos_token"):
        setattr(bare.tokenizer, name, None)
    scores = exported(bare, 1, tmp_path / "rm")
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path / "rm")
    assert tokenizer.pad_token == "<|padding|>"
    np.testing.assert_allclose(scores_of(tmp_path / "rm"), scores, atol=1e-4)


def test_a_base_without_chat_template_gets_one_that_reads_as_the_run_does(tmp_path: Path) -> None:
    plain = tiny_model(tmp_path / "base")
    plain.tokenizer.chat_template = None
    scores = exported(plain, 1, tmp_path / "rm")
    np.testing.assert_allclose(scores_of(tmp_path / "rm"), scores, atol=1e-4)


def test_a_text_that_would_be_cut_into_other_tokens_is_refused(tiny: LanguageModel, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="would score another text"):
        save(tiny, RewardModel(tiny, 0), tmp_path, "float32", [("Name a colour.", "\n\nBlue.")])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("side", ["left", "right"])
def test_openrlhf_s_reward_model_gives_the_same_scores(tiny: LanguageModel, tmp_path: Path, side: str) -> None:
    made = reward_model_class(openrlhf_wheel(tmp_path))
    scores = exported(tiny, 1, tmp_path / "rm")
    model = made(tmp_path / "rm", "score")
    inputs = tokens_of(tmp_path / "rm", TEXTS, side, 150)
    with torch.no_grad():
        read = model(inputs["input_ids"], inputs["attention_mask"]).numpy()
    np.testing.assert_allclose(read, scores, atol=1e-4)
