"""A Hugging Face sequence-classification model as a reward model: one label, its own chat template, safetensors only.

A text is a user's and an assistant's turn in the template. The score is the model's single logit, unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jinja2 import TemplateError
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from pipeline.config import AddedRewardModel
from pipeline.errors import ModelUnavailable, NoScore
from pipeline.models.performance.packing import pad_right
from pipeline.scoring.texts import Text

_FOLDER = "sha256:"
_SUFFIXES = (".safetensors", ".json", ".jinja", ".model", ".txt")


class Classifier:
    """A loaded sequence-classification model."""

    def __init__(self, name: str, model: Any, tokenizer: Any, batch_texts: int) -> None:
        self._name, self._model, self._tokenizer = name, model, tokenizer
        # without a padding token the model cannot find the last token of a padded text, so it reads them one by one
        self._padding = model.config.get_text_config().pad_token_id
        self._batch_texts = 1 if self._padding is None else batch_texts

    def score(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """Scores of (prompt, response) texts, in order, float32 `[texts]`.

        Raises NoScore for a text that is too long for the model, or one whose score is not finite.
        """
        ids = [self._ids(text) for text in texts]
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))  # little padding
        scores = np.zeros(len(ids), dtype=np.float32)
        for start in range(0, len(order), self._batch_texts):
            rows = order[start : start + self._batch_texts]
            scores[rows] = self._logits([ids[row] for row in rows])
        if not np.isfinite(scores).all():
            prompt, _ = texts[int(np.flatnonzero(~np.isfinite(scores))[0])]
            raise NoScore(
                f"{self._name}: the score of a response to {prompt[:60]!r} is not finite; try --dtype float32"
            )
        return scores

    def _ids(self, text: Text) -> list[int]:
        try:
            ids = templated_ids(self._tokenizer, text)
        except (TemplateError, ValueError) as error:
            raise NoScore(
                f"{self._name}: its chat template refuses a user's and an assistant's turn ({error})"
            ) from error
        longest = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        if longest is not None and len(ids) > longest:
            raise NoScore(f"{self._name}: a text has {len(ids)} tokens and the model reads {longest}; use another one")
        return ids

    @torch.inference_mode()
    def _logits(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        tokens_BT, lengths_B = pad_right(ids, self._model.device, padding=self._padding or 0)
        mask_BT = (torch.arange(tokens_BT.shape[1], device=tokens_BT.device) < lengths_B[:, None]).long()
        logits_B1 = self._model(input_ids=tokens_BT, attention_mask=mask_BT).logits
        return logits_B1[:, 0].float().cpu().numpy()


def templated_ids(tokenizer: Any, text: Text) -> list[int]:
    """Token ids of a prompt and a response as a user's and an assistant's turn in the tokenizer's chat template."""
    turns = [{"role": role, "content": content} for role, content in zip(("user", "assistant"), text, strict=True)]
    return list(tokenizer(tokenizer.apply_chat_template(turns, tokenize=False), add_special_tokens=False)["input_ids"])


def revision_of(model: str) -> str:
    """What pins a model: `sha256:…` of a folder's files, or the commit of a hub id.

    Raises ModelUnavailable if the model does not exist or does not have one label.
    """
    return folder_revision(Path(model)) if Path(model).is_dir() else str(_config(model, None)._commit_hash)


def folder_revision(folder: Path) -> str:
    """SHA-256 of the names and contents of a folder's weights, settings and tokenizer."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file() and path.suffix in _SUFFIXES):
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return f"{_FOLDER}{digest.hexdigest()}"


def load_classifier(settings: AddedRewardModel) -> Classifier:
    """Load a model at its pinned revision. Raises ModelUnavailable if it was changed or is no reward model."""
    model, revision = str(settings.model), settings.revision
    transformers_logging.disable_progress_bar()
    commit = None if Path(model).is_dir() else revision
    if commit is None and folder_revision(Path(model)) != revision:
        raise ModelUnavailable(f"{settings.name}: the files in {model} are not those that were added; put them back")
    config = _config(model, commit)
    options = {"revision": commit or "main", "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(model, **options)
        loaded, report = AutoModelForSequenceClassification.from_pretrained(
            model,
            config=config,
            dtype=getattr(torch, settings.dtype),
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        raise _unavailable(model, error) from error
    if report["missing_keys"]:
        raise ModelUnavailable(
            f"model {model!r} lacks {sorted(report['missing_keys'])[0]}: it was not trained as a reward model; "
            "give one saved with its head"
        )
    if tokenizer.chat_template is None:
        raise ModelUnavailable(f"model {model!r} has no chat template; save its tokenizer with one, or use a server")
    loaded.requires_grad_(False)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Classifier(settings.name, loaded.eval().to(device), tokenizer, settings.batch_texts)


def _config(model: str, commit: str | None) -> Any:
    try:
        config = AutoConfig.from_pretrained(model, revision=commit or "main", trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise _unavailable(model, error) from error
    if config.num_labels != 1:
        raise ModelUnavailable(
            f"model {model!r} has {config.num_labels} labels; a reward model has one: give a sequence-classification "
            "model with num_labels 1"
        )
    return config


def _unavailable(model: str, error: BaseException) -> ModelUnavailable:
    why = next(iter(str(error).splitlines()), type(error).__name__)
    return ModelUnavailable(
        f"model {model!r} cannot be loaded for sequence classification ({why}); give a folder with safetensors and a "
        "tokenizer, or a hub id that is reachable"
    )
