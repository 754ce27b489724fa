"""A reward model behind a server that speaks OpenRLHF's protocol.

POST `{"query": […], "prompts": […], "labels": […]}` is answered by `{"rewards": […], "scores": […], "extra_logs": {}}`.
A query is what OpenRLHF sends for the run's policy: the prompt in its chat template, the response, the end token. The
scores are `rewards` or, without it, `scores`. A missing reward, with which OpenRLHF continues, is an error here. Texts
are data: they never reach a header or an address. Redirects are not followed.

The certificates are the system's, not httpx's own list, which lacks an organisation's internal ones. Proxies are those
of `http_proxy`, `https_proxy` and `no_proxy`: httpx would also read `all_proxy`, where SOCKS needs another package, and
send passwords of `.netrc`.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
import numpy as np
from numpy.typing import NDArray

from pipeline.config import AddedRewardModel
from pipeline.errors import NoScore
from pipeline.scoring.texts import Text

Render = Callable[[Text], tuple[str, str]]
"""(prompt, response) → (prompt, query), as the server gets them."""

_LARGEST_BYTES = 64 * 2**20
_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0


class RewardServer:
    """A reward model that is asked over HTTP, with the `timeout_s`, `tries` and `batch_texts` of its settings."""

    def __init__(self, settings: AddedRewardModel, render: Render) -> None:
        if settings.url is None:
            raise ValueError(f"{settings.name} has no URL")
        self._settings, self._url, self._render = settings, settings.url, render
        self._certificates = ssl.create_default_context()

    @property
    def description(self) -> str:
        """`the server at http://…`."""
        return f"the server at {self._url}"

    def score(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        """Scores of (prompt, response) texts, in order, float32 `[texts]`.

        Raises NoScore, in one line, if the server does not answer or one text has no finite score.
        """
        size = self._settings.batch_texts
        parts = [self._score_batch(texts[start : start + size]) for start in range(0, len(texts), size)]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)

    def _score_batch(self, texts: Sequence[Text]) -> NDArray[np.float32]:
        prompts, queries = zip(*map(self._render, texts), strict=True)
        body = {"query": queries, "prompts": prompts, "labels": [""] * len(texts)}
        return rewards_of(self._post(json.dumps(body).encode()), len(texts), self._url)

    def _post(self, body: bytes) -> bytes:
        settings = self._settings
        for attempt in range(settings.tries):
            try:
                return self._answer(body)
            except (httpx.HTTPError, httpx.InvalidURL, ImportError, ValueError) as error:  # the last two: of a proxy
                status = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else 500
                final = not isinstance(error, httpx.HTTPError) or (status < 500 and status not in (408, 429))
                if final or attempt == settings.tries - 1:
                    raise NoScore(
                        f"reward server {self._url}: no answer ({_reason(error)}) in {attempt + 1} of "
                        f"{settings.tries} tries; check that it is running and accepts POST, then `righttree resume`"
                    ) from error
                time.sleep(min(_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S))
        raise AssertionError("tries is at least 1")

    def _answer(self, body: bytes) -> bytes:
        """The body of one answer. Raises NoScore if it is too long, httpx's errors if there is none."""
        headers, answer = {"Content-Type": "application/json"}, b""
        with httpx.stream(
            "POST",
            self._url,
            content=body,
            headers=headers,
            timeout=self._settings.timeout_s,
            verify=self._certificates,
            proxy=_proxy(self._url),
            trust_env=False,
        ) as response:
            response.raise_for_status()  # also for a redirect, which is not followed
            for piece in response.iter_bytes():
                answer += piece
                if len(answer) > _LARGEST_BYTES:
                    raise NoScore(
                        f"reward server {self._url}: an answer has more than {_LARGEST_BYTES} bytes; lower batch_texts"
                    )
        return answer


def rewards_of(answer: bytes, texts: int, url: str) -> NDArray[np.float32]:
    """The scores in an answer, float32 `[texts]`. Raises NoScore for another number of scores or one not finite."""
    try:
        parsed: Any = json.loads(answer)
        rewards = parsed["rewards"] if "rewards" in parsed else parsed["scores"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NoScore(
            f"reward server {url}: answered {answer[:80]!r}; it has to be a JSON object with rewards"
        ) from error
    if not isinstance(rewards, list) or len(rewards) != texts:
        got = len(rewards) if isinstance(rewards, list) else f"{rewards!r:.40}"
        raise NoScore(f"reward server {url}: got {got} for the rewards of {texts} texts; there has to be one for each")
    values = [reward[0] if isinstance(reward, list) and len(reward) == 1 else reward for reward in rewards]
    wrong = next((value for value in values if isinstance(value, bool) or not isinstance(value, int | float)), None)
    if wrong is None and None not in values:
        with np.errstate(over="ignore"):
            scores = np.array([min(max(value, -1e300), 1e300) for value in values], dtype=np.float32)
        if np.isfinite(scores).all():
            return scores
        wrong = values[int(np.flatnonzero(~np.isfinite(scores))[0])]
    raise NoScore(f"reward server {url}: got the reward {wrong!r:.40}; it has to be a finite 32-bit number")


def _proxy(url: str) -> str | None:
    """Address of the proxy that the environment names for a URL; None to connect directly."""
    scheme, host = urlsplit(url)[:2]
    proxy = None if proxy_bypass(host) else getproxies().get(scheme)
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy or None


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP {error.response.status_code} {error.response.reason_phrase}".strip()
    return (str(error).strip() or type(error).__name__).splitlines()[0]
