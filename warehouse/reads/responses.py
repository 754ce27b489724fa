"""Responses as people read them: search, texts and scores to one prompt, their lengths, what best-of-n picks.

Responses to paraphrases are left out: everything here shows a prompt in its own words. So are edited responses
(`schema.PROBES`), which no policy gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.cube import ScoreCube
from warehouse.reads import endings, policies
from warehouse.reads.scores import initial_scores
from warehouse.schema import BY_WEIGHTING, INITIAL, PROBES
from warehouse.store import Connection
from warehouse.study.audit.redundant import Texts
from warehouse.study.curves.length_features import expected_along
from warehouse.study.curves.value_curves import ValueCurves

_TO_PROMPT = " WHERE run_id = ? AND prompt_id = ? AND policy_id = ? AND prompt_form = 'original'"


class Lengths(NamedTuple):
    """How long responses are, and in which unit: `tokens`, or `characters` where nobody counted tokens.

    `values` are `[P, R]` of responses, 0 beyond those of a prompt, or means `[S, M, Q]` of policies.
    """

    values: NDArray[np.float64]
    unit: str


def response_lengths(connection: Connection, run_id: str, split: str) -> Lengths | None:
    """Lengths `[P, R]` of the initial policy's responses, in the order of `scores.initial_scores`.

    In tokens if they were counted for all, else in characters of the texts; None without any text.
    """
    of_initial = endings.answers(connection, run_id, INITIAL, split)
    return None if of_initial is None else Lengths(of_initial.lengths_PR, of_initial.unit)


def texts(connection: Connection, run_id: str, prompts: Sequence[str]) -> Texts:
    """What these prompts say, and a hash of each of the initial policy's responses to them; empty texts are unknown."""
    rows = connection.execute(
        """
        SELECT prompt_id, any_value(prompt.text) AS text,
               list(nullif(hash(response.text), hash('')) ORDER BY sample) AS responses
        FROM prompt JOIN response USING (run_id, prompt_id)
        WHERE run_id = $run AND policy_id = $initial AND prompt_form = 'original' AND list_contains($prompts, prompt_id)
        GROUP BY prompt_id
        """,
        {"run": run_id, "initial": INITIAL, "prompts": list(prompts)},
    ).pl()
    says = {name: (text, tuple(keys)) for name, text, keys in rows.iter_rows()}
    return Texts(*zip(*(says[name] for name in prompts), strict=True)) if prompts else Texts((), ())


def search_prompts(
    connection: Connection,
    run_id: str,
    split: str,
    *,
    categories: tuple[str, ...] = (),
    subsets: tuple[str, ...] = (),
    text: str = "",
) -> pl.DataFrame:
    """Prompts of a split that contain the text or have a response that does: `prompt_id, category, subset, text, hits`.

    `hits` counts the responses, of any policy, that contain it. Case is ignored; `%` and `_` are ordinary characters.
    Empty categories, subsets or text select everything.
    """
    return connection.execute(
        """
        SELECT prompt_id, category, subset, prompt.text AS text,
               count(response.response_id) FILTER (contains(lower(response.text), lower($text))) AS hits
        FROM prompt LEFT JOIN (
            FROM response WHERE prompt_form = 'original' AND NOT list_contains($probes, policy_id)
        ) AS response USING (run_id, prompt_id)
        WHERE run_id = $run AND split = $split
          AND (len($categories) = 0 OR list_contains($categories, category))
          AND (len($subsets) = 0 OR list_contains($subsets, subset))
        GROUP BY ALL HAVING hits > 0 OR contains(lower(prompt.text), lower($text))
        ORDER BY prompt_id
        """,
        {
            "run": run_id,
            "split": split,
            "categories": list(categories),
            "subsets": list(subsets),
            "text": text,
            "probes": list(PROBES.values()),
        },
    ).pl()


def policies_answering(connection: Connection, run_id: str, prompt_id: str) -> pl.DataFrame:
    """Policies that answered a prompt, with their number of `responses`; the initial one, then by reward model."""
    return connection.execute(
        """
        SELECT * FROM (
          SELECT policy_id, optimizer, reward_model_id, strength, kl, kl_estimator, temperature, count(*) AS responses
          FROM response JOIN policy USING (run_id, policy_id)
          WHERE run_id = ? AND prompt_id = ? AND prompt_form = 'original' AND NOT list_contains(?, policy_id)
          GROUP BY ALL
        ) ORDER BY policy_id <> ?, optimizer <> 'none', optimizer, reward_model_id, strength, policy_id
        """,
        [run_id, prompt_id, list(PROBES.values()), INITIAL],
    ).pl()


def responses_to(connection: Connection, run_id: str, prompt_id: str, policy_id: str) -> pl.DataFrame:
    """A policy's responses to a prompt, by sample: `response_id, sample, text, tokens, finished`."""
    query = f"SELECT response_id, sample, text, tokens, finished FROM response {_TO_PROMPT} ORDER BY sample"
    return connection.execute(query, [run_id, prompt_id, policy_id]).pl()


def scores_of(connection: Connection, run_id: str, prompt_id: str, policy_id: str) -> pl.DataFrame:
    """Scores of a policy's responses to a prompt: `reward_model_id, sample, score`, by both. May be empty."""
    query = "SELECT reward_model_id, sample, score FROM score JOIN response USING (run_id, response_id)"
    query += f"{_TO_PROMPT} ORDER BY reward_model_id, sample"
    return connection.execute(query, [run_id, prompt_id, policy_id]).pl()


def prompt(connection: Connection, run_id: str, prompt_id: str) -> dict[str, Any]:
    """The row of one prompt. Raises UnknownName."""
    row = connection.execute("SELECT * FROM prompt WHERE run_id = ? AND prompt_id = ?", [run_id, prompt_id]).pl()
    if row.is_empty():
        raise UnknownName(f"prompt {prompt_id!r} is not in run {run_id!r}")
    return row.row(0, named=True)


def mean_tokens(
    connection: Connection, run_id: str, optimizer: str, kl_coefficient: float | None = None
) -> pl.DataFrame:
    """Mean length in tokens of the responses of an optimiser's policies: `reward_model, strength, prompt_id, tokens`.

    Policies without responses of their own (best-of-n, tilted) have no rows.
    """
    frame = policies.of_optimizer(connection, run_id, optimizer, kl_coefficient)
    return connection.execute(
        """
        SELECT reward_model_id AS reward_model, strength, prompt_id, avg(tokens) AS tokens
        FROM response JOIN policy USING (run_id, policy_id)
        WHERE run_id = ? AND list_contains(?, policy_id) GROUP BY ALL ORDER BY ALL
        """,
        [run_id, frame["policy_id"].to_list()],
    ).pl()


def lengths_of_curves(
    connection: Connection,
    run_id: str,
    curves: ValueCurves,
    samples: ScoreCube,
    kl_coefficient: float | None = None,
) -> Lengths | None:
    """Mean lengths `[S, M, Q]` of the policies that the curves are of; None if their responses were not stored.

    `samples` are the scores of the initial policy's responses to the RL-test prompts, of the curves' reward models.
    """
    prompts = curves.values[0].prompts
    if curves.optimizer in BY_WEIGHTING:
        lengths = response_lengths(connection, run_id, "rl_test")
        if lengths is None:
            return None
        return Lengths(expected_along(curves, samples, lengths.values[None])[:, 0], lengths.unit)
    means = (
        mean_tokens(connection, run_id, curves.optimizer, kl_coefficient)
        .filter(
            pl.col("reward_model").is_in(curves.reward_models),
            pl.col("strength").is_in(curves.strengths),
            pl.col("prompt_id").is_in(prompts),
        )
        .sort("strength", "reward_model", "prompt_id")
    )
    shape = len(curves.strengths), len(curves.reward_models), len(prompts)
    if means.height != np.prod(shape) or not (means["tokens"] > 0).all():
        return None
    return Lengths(means["tokens"].to_numpy().reshape(shape), "tokens")


def picks(
    connection: Connection,
    run_id: str,
    golden_id: str,
    proxy_id: str,
    n: int,
    *,
    limit: int = 20,
    samples: ScoreCube | None = None,
) -> pl.DataFrame:
    """What best-of-n picks under both reward models among the first n samples of each RL-test prompt.

    Columns: `prompt_id, category, subset, prompt, golden_pick, proxy_pick` (texts), `golden_of_golden_pick,
    golden_of_proxy_pick, proxy_of_golden_pick, proxy_of_proxy_pick` (scores) and `loss`, the golden score given up by
    following the proxy, in standard deviations of the golden's scores; the greatest loss first. `samples` are the
    `initial_scores` of the RL-test prompts; None: they are read here.
    """
    samples = samples or initial_scores(connection, run_id, "rl_test")
    models = samples.reward_models
    for name in (golden_id, proxy_id):
        if name not in models:
            raise UnknownName(f"reward model {name!r} is not in run {run_id!r}; it has {list(models)}")
    if not 1 <= n <= int(samples.counts_P.max()):
        raise InvalidChoice(f"n is {n}; run {run_id!r} has samples for n from 1 to {int(samples.counts_P.max())}")
    samples = samples.of_prompts(np.flatnonzero(samples.counts_P >= n))
    golden_PN, proxy_PN = (samples.scores_MPR[models.index(name)] for name in (golden_id, proxy_id))
    spread = float(golden_PN[samples.is_response_PR].std())
    rows = np.arange(len(samples.prompts))
    by_golden, by_proxy = golden_PN[:, :n].argmax(axis=1), proxy_PN[:, :n].argmax(axis=1)
    loss = (golden_PN[rows, by_golden] - golden_PN[rows, by_proxy]) / max(spread, 1e-12)
    order = np.argsort(-loss, kind="stable")[:limit]
    axes = {"prompt_id": samples.prompts, "category": samples.categories, "subset": samples.subsets}
    picked = pl.DataFrame(
        {
            **{name: [values[p] for p in order] for name, values in axes.items()},
            "golden_sample": by_golden[order],
            "proxy_sample": by_proxy[order],
            "golden_of_golden_pick": golden_PN[order, by_golden[order]].astype(np.float64),
            "golden_of_proxy_pick": golden_PN[order, by_proxy[order]].astype(np.float64),
            "proxy_of_golden_pick": proxy_PN[order, by_golden[order]].astype(np.float64),
            "proxy_of_proxy_pick": proxy_PN[order, by_proxy[order]].astype(np.float64),
            "loss": loss[order].astype(np.float64),
        }
    )
    texts = connection.execute(
        """
        SELECT DISTINCT prompt_id, sample, response.text AS response, prompt.text AS prompt
        FROM (SELECT unnest($prompts) AS prompt_id, unnest($samples) AS sample) AS picked
        JOIN response USING (prompt_id, sample) JOIN prompt USING (run_id, prompt_id)
        WHERE run_id = $run AND policy_id = $initial AND prompt_form = 'original'
        """,
        {
            "prompts": picked["prompt_id"].to_list() * 2,
            "samples": [*picked["golden_sample"], *picked["proxy_sample"]],
            "run": run_id,
            "initial": INITIAL,
        },
    ).pl()
    for side in ("golden", "proxy"):
        named = texts.select("prompt_id", "prompt", **{f"{side}_sample": "sample", f"{side}_pick": "response"})
        named = named if side == "golden" else named.drop("prompt")
        picked = picked.join(named, on=["prompt_id", f"{side}_sample"], how="left", maintain_order="left")
    texts_first = ["prompt_id", "category", "subset", "prompt", "golden_pick", "proxy_pick"]
    return picked.select(*texts_first, pl.exclude(*texts_first, "golden_sample", "proxy_sample"))
