"""Reward models made elsewhere: how `righttree add-rm` names and tries one, and how a run opens it to score."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from pipeline.config import AddedRewardModel, valid
from pipeline.scoring.reward_server import Render, RewardServer
from pipeline.scoring.texts import Text

if TYPE_CHECKING:
    from pipeline.models.language_model import LanguageModel

_TRIED = ("Name a colour.", "Blue.")


class Scoring(Protocol):
    """What scores texts: a loaded model, or a server."""

    def score(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """Scores of (prompt, response) texts, in order, float32 `[texts]`."""
        ...


def described(model: str | None, url: str | None, name: str | None, options: Mapping[str, Any]) -> AddedRewardModel:
    """A reward model as the settings have it: named after its model or host unless a name is given, and pinned.

    Raises InvalidSetting for settings that are wrong, ModelUnavailable for a model that cannot be had.
    """
    settings: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    if url is not None:
        settings |= {"url": url, "name": name or _plain(_host(url))}
    elif model is not None:
        from pipeline.models.classifier import revision_of

        folder = Path(model)
        place = str(folder.resolve()) if folder.is_dir() else model
        settings |= {"model": place, "name": name or _plain(Path(place).name), "revision": revision_of(place)}
    return cast("AddedRewardModel", valid(AddedRewardModel, settings, "added"))


def opened(settings: AddedRewardModel, policy: LanguageModel) -> Scoring:
    """The reward model, ready to score. A server reads a text as `policy`, the run's, writes it.

    Raises ModelUnavailable for a model that is not there, or not as it was added.
    """
    return _opened(settings, lambda text: _rendered(policy, text))


def try_out(settings: AddedRewardModel) -> None:
    """Score one text, so that what cannot score is refused before a run is made. Raises NoScore or ModelUnavailable."""
    opened_without_policy(settings).score([_TRIED])


def opened_without_policy(settings: AddedRewardModel) -> Scoring:
    """As `opened`, for scores that are not kept: a server is given texts of about the same length."""
    return _opened(settings, lambda text: (text[0], "\n".join(text)))


def _opened(settings: AddedRewardModel, render: Render) -> Scoring:
    if settings.url is not None:
        return RewardServer(settings, render)
    from pipeline.models.classifier import load_classifier

    return load_classifier(settings)


def _rendered(policy: LanguageModel, text: Text) -> tuple[str, str]:
    prompt = policy.prompt_text(text[0])
    return prompt, f"{prompt}{text[1]}{policy.tokenizer.eos_token}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:  # the settings say what is wrong with it
        return "server"


def _plain(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_.-]+", "-", name).strip("-._")[:64] or "added"
