"""What trained policies answer: that optimised against the golden beside that optimised against the proxy.

As `responses.picks` does it for best-of-n, whose picks are among the samples of the initial policy.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from warehouse.metrics.cube import ScoreCube
from warehouse.reads import policies
from warehouse.reads.scores import initial_scores
from warehouse.schema import INITIAL
from warehouse.store import Connection

_ANSWERS = """
SELECT prompt_id, category, subset, prompt.text AS prompt,
       arg_min(response.text, sample) AS pick,
       arg_min(by_golden.score, sample) AS golden, arg_min(by_proxy.score, sample) AS proxy,
       avg(by_golden.score) AS mean
FROM response JOIN prompt USING (run_id, prompt_id)
JOIN score AS by_golden USING (run_id, response_id) JOIN score AS by_proxy USING (run_id, response_id)
WHERE run_id = $run AND policy_id = $policy AND split = 'rl_test' AND prompt_form = 'original'
  AND by_golden.reward_model_id = $golden AND by_proxy.reward_model_id = $proxy
GROUP BY prompt_id, category, subset, prompt.text
"""


class TrainedPicks(NamedTuple):
    """Answers with the columns of `responses.picks`, and whose `golden_pick` is: the golden's policy's or π₀'s."""

    rows: pl.DataFrame
    golden_has_policy: bool


def trained_picks(
    connection: Connection,
    run_id: str,
    golden_id: str,
    proxy_id: str,
    *,
    optimizer: str,
    strength: float,
    samples: ScoreCube | None = None,
) -> TrainedPicks | None:
    """The first answers of an optimiser's policies of this strength to each RL-test prompt; None if not stored.

    `golden_pick` is the answer of the golden's own policy, or of the initial policy where the golden has none. `loss`
    is the mean golden score of the one's answers minus the other's, in standard deviations of the golden's scores of
    `samples` (`initial_scores` of the RL-test prompts; None: read here). Of several seeds the first counts, of several
    KL penalties the default one.
    """
    ids = first_policies(connection, run_id, optimizer, strength)
    if proxy_id not in ids:
        return None
    sides = []
    for policy_id in (ids.get(golden_id, INITIAL), ids[proxy_id]):
        named = {"run": run_id, "policy": policy_id, "golden": golden_id, "proxy": proxy_id}
        sides.append(connection.execute(_ANSWERS, named).pl())
    golden, proxy = sides
    both = golden.join(proxy.drop("category", "subset", "prompt"), on="prompt_id", suffix="_of_proxy")
    if both.is_empty():
        return None
    samples = samples or initial_scores(connection, run_id, "rl_test")
    scores_PN = samples.scores_MPR[samples.reward_models.index(golden_id)]
    spread = max(float(scores_PN[samples.is_response_PR].std()), 1e-12)
    rows = both.select(
        *("prompt_id", "category", "subset", "prompt"),
        golden_pick="pick",
        proxy_pick="pick_of_proxy",
        golden_of_golden_pick=pl.col("golden").cast(pl.Float64),
        golden_of_proxy_pick=pl.col("golden_of_proxy").cast(pl.Float64),
        proxy_of_golden_pick=pl.col("proxy").cast(pl.Float64),
        proxy_of_proxy_pick=pl.col("proxy_of_proxy").cast(pl.Float64),
        loss=(pl.col("mean") - pl.col("mean_of_proxy")).cast(pl.Float64) / spread,
    ).sort("loss", "prompt_id", descending=[True, False])
    return TrainedPicks(rows, golden_id in ids)


def first_policies(connection: Connection, run_id: str, optimizer: str, strength: float) -> dict[str, str]:
    """The policy of each reward model at this strength, of several seeds the first: {reward model: policy}."""
    rows = policies.of_optimizer(connection, run_id, optimizer).filter(pl.col("strength") == strength)
    first = rows.unique("reward_model_id", keep="first", maintain_order=True)
    return dict(first.select("reward_model_id", "policy_id").iter_rows())
