"""Reward models trained elsewhere: how `righttree add-rm` names and tries one, and how a run opens it to score."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from pipeline.config import AddedRewardModel, valid
from pipeline.errors import InvalidSetting, ModelUnavailable
from pipeline.scoring.reward_server import Render, RewardServer
from pipeline.scoring.texts import Text

if TYPE_CHECKING:
    from pipeline.models.language_model import LanguageModel

_TRIED = ("Name a colour.", "Blue.")


class Scoring(Protocol):
    """Scores texts: a loaded model, or a server."""

    @property
    def description(self) -> str:
        """What gives the scores, in a few words."""
        ...

    def score(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """Scores of (prompt, response) texts, in order, float32 `[texts]`."""
        ...


def settings_of(
    *, model: str | None = None, url: str | None = None, name: str | None = None, **options: Any
) -> AddedRewardModel:
    """The settings of a reward model, pinned, and named after its model or host unless a name is given.

    Raises InvalidSetting for invalid settings, ModelUnavailable for a model that cannot be loaded.
    """
    settings: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    if url is not None:
        settings |= {"url": url, "name": name or _plain(_host(url))}
    elif model is not None:
        from pipeline.models.classifier import revision_of

        folder = Path(model)
        if not folder.is_dir() and (model.startswith((".", "/", "~")) or (model.count("/") != 1 and "/" in model)):
            raise ModelUnavailable(f"model {model!r}: there is no such folder; give a folder or a hub id")
        place = str(folder.resolve()) if folder.is_dir() else model
        settings |= {"model": place, "name": name or _plain(Path(place).name), "revision": revision_of(place)}
    return cast("AddedRewardModel", valid(AddedRewardModel, settings, "added"))


def attributes_of(attribute: str | None, weights: str | None) -> tuple[tuple[str, float], ...]:
    """The outputs of a model that make its score, each with its weight, from the options `--attribute` and `--weights`.

    Raises InvalidSetting for weights that are not like `0=0.5,1=0.5`, and if both are given.
    """
    if attribute is not None and weights is not None:
        raise InvalidSetting("--attribute and --weights: give one of them", "attributes")
    if attribute is not None:
        return ((attribute.strip(), 1.0),)
    chosen = []
    for part in weights.split(",") if weights is not None else ():
        name, _, weight = part.rpartition("=")
        try:
            chosen.append((name.strip(), float(weight)))
        except ValueError:
            name = ""
        if not name.strip():
            raise InvalidSetting(f"--weights {weights!r}: write outputs with numbers, as in 0=0.5,1=0.5", "attributes")
    return tuple(chosen)


def opened(settings: AddedRewardModel, policy: LanguageModel | None = None, *, render: Render | None = None) -> Scoring:
    """The reward model, ready to score. A server gets a text as `policy`, the run's, or `render` renders it.

    With neither, a server gets prompt and response as they are, with a line break between. Raises ModelUnavailable for
    a model that is missing or was changed since it was added.
    """

    def plain(text: Text) -> tuple[str, str]:
        if policy is None:
            return text[0], "\n".join(text)
        prompt = policy.prompt_text(text[0])
        return prompt, f"{prompt}{text[1]}{policy.tokenizer.eos_token}"

    if settings.url is not None:
        return RewardServer(settings, render or plain)
    from pipeline.models.classifier import load_classifier

    return load_classifier(settings)


def try_out(settings: AddedRewardModel) -> None:
    """Score one text, so that a broken reward model is refused before the run. Raises NoScore or ModelUnavailable."""
    opened(settings).score([_TRIED])


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:  # the validation of the settings says what is wrong
        return "server"


def _plain(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_.-]+", "-", name).strip("-._")[:64] or "added"
