"""What can be asked of the warehouse: one function per question, each to a Polars frame or a dense array.

Every function takes a connection of `store.open_read_only` first. The order of reward models, prompts and responses is
by id everywhere, so that axes of different reads fit each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from warehouse.errors import InvalidChoice, UnknownName
from warehouse.metrics.best_of_n import best_of_n_values
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.test_set import with_paraphrases, with_responses
from warehouse.reads.scores_in_place import scores_in_place

INITIAL = "initial"
"""`policy_id` of the initial policy π_0 as it is evaluated: the study's own temperature and system prompt."""

PPO = "ppo"
"""The source that stands for all PPO policies of the last step together."""

Samples = Callable[[], ScoreCube]
"""Gives the `initial_scores` of the RL-test prompts to a read that turns out to need them, from where they are kept."""


def runs(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Table `run`, newest first."""
    return _frame(connection, "SELECT * FROM run ORDER BY finished_at DESC, run_id DESC")


def newest_run(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Id of the run that finished last; None in an empty warehouse."""
    run_ids: list[str] = runs(connection)["run_id"].to_list()
    return run_ids[0] if run_ids else None


def reward_models(connection: duckdb.DuckDBPyConnection, run_id: str) -> pl.DataFrame:
    """Table `reward_model` of a run, by id. Raises UnknownName for a run that is not there."""
    frame = _frame(connection, "SELECT * FROM reward_model WHERE run_id = ? ORDER BY reward_model_id", run_id)
    if frame.is_empty():
        known = runs(connection)["run_id"].to_list()
        raise UnknownName(f"run {run_id!r} is not in the warehouse; it has {known}")
    return frame


def prompts(connection: duckdb.DuckDBPyConnection, run_id: str, split: str | None = None) -> pl.DataFrame:
    """Table `prompt` of a run, of one split or of all, by id."""
    return _frame(
        connection,
        "SELECT * FROM prompt WHERE run_id = ? AND (split = ? OR ? IS NULL) ORDER BY prompt_id",
        run_id,
        split,
        split,
    )


def strengths(connection: duckdb.DuckDBPyConnection, run_id: str, kl_coefficient: float | None = None) -> pl.DataFrame:
    """The optimisers of a run and the strengths they were valued at: columns `optimizer`, `strength`, `policies`.

    Of several KL penalties one counts: `kl_coefficient` where the optimiser was used with it, else the default one.
    """
    counted = _frame(
        connection,
        """
        SELECT optimizer, kl_coefficient, strength, count(*) AS policies FROM policy
        WHERE run_id = ? AND optimizer <> 'none' GROUP BY ALL ORDER BY ALL
        """,
        run_id,
    )
    rows = []
    for (optimizer,), of_one in counted.group_by("optimizer", maintain_order=True):
        penalties = kl_coefficients(connection, run_id, str(optimizer))
        penalty = kl_coefficient if kl_coefficient in penalties else penalties[0] if penalties else None
        rows.append(of_one.filter(pl.col("kl_coefficient").eq_missing(penalty)))
    return pl.concat([counted.clear(), *rows]).drop("kl_coefficient")


def kl_coefficients(connection: duckdb.DuckDBPyConnection, run_id: str, optimizer: str) -> tuple[float, ...]:
    """The KL penalties that an optimiser's policies were trained with: the default one first, the others ascending.

    The default is the profile's own, `ppo.kl_coefficient` in the run's settings, whichever policies survived. In a run
    without it, such as an imported one, or where all policies of it were lost, it is the penalty of most policies over
    all strengths, the smallest of those on a tie. Empty for an optimiser without penalties.
    """
    counted = _frame(
        connection,
        """
        SELECT kl_coefficient, count(*) AS policies FROM policy
        WHERE run_id = ? AND optimizer = ? AND kl_coefficient IS NOT NULL
        GROUP BY ALL ORDER BY policies DESC, kl_coefficient
        """,
        run_id,
        optimizer,
    )["kl_coefficient"].to_list()
    own = _profiles_kl_coefficient(connection, run_id)
    default = [own] if own in counted else counted[:1]
    return (*default, *sorted(set(counted) - set(default)))


def _profiles_kl_coefficient(connection: duckdb.DuckDBPyConnection, run_id: str) -> float | None:
    """None where the stored settings are no profile with PPO: what an import brings along may be anything."""
    (config,) = connection.execute("SELECT config FROM run WHERE run_id = ?", [run_id]).fetchone() or ("{}",)
    try:
        return float(json.loads(config)["ppo"]["kl_coefficient"])
    except (ValueError, TypeError, KeyError, IndexError):
        return None


def chosen_kl_coefficient(
    connection: duckdb.DuckDBPyConnection, run_id: str, optimizer: str, kl_coefficient: float | None
) -> float | None:
    """The KL penalty whose policies to read: the given one, or for None the default; None for one without penalties.

    Raises InvalidChoice for a penalty that the optimiser was not used with.
    """
    penalties = kl_coefficients(connection, run_id, optimizer)
    if kl_coefficient is None:
        return penalties[0] if penalties else None
    if kl_coefficient not in penalties:
        known = f"it has {sorted(penalties)}" if penalties else "its policies have no KL coefficient"
        raise InvalidChoice(f"run {run_id!r} has no {optimizer} with KL coefficient {kl_coefficient:g}; {known}")
    return kl_coefficient


def sources(connection: duckdb.DuckDBPyConnection, run_id: str) -> pl.DataFrame:
    """Where the scored responses to the RM-test prompts come from, the initial policy first.

    Columns: `source`, a policy or `ppo`, which stands for all policies of the last PPO step together; `prompts`
    answered; `responses` to each (the fewest), and `paraphrase_responses` to its paraphrase, 0 where there are none.
    Raises UnknownName for a run that is not there.
    """
    reward_models(connection, run_id)
    found = _frame(
        connection,
        """
        WITH counted AS (
            SELECT policy_id, prompt_id, count(*) FILTER (WHERE prompt_form = 'original') AS responses,
                   count(*) FILTER (WHERE prompt_form = 'paraphrase') AS paraphrase_responses
            FROM response JOIN prompt USING (run_id, prompt_id)
            WHERE run_id = ? AND split = 'rm_test'
              AND response_id IN (SELECT response_id FROM score WHERE run_id = ?)
            GROUP BY ALL
        )
        SELECT policy_id AS source, count(*) AS prompts, min(responses) AS responses,
               max(paraphrase_responses) AS paraphrase_responses
        FROM counted GROUP BY policy_id ORDER BY policy_id <> ?, policy_id
        """,
        run_id,
        run_id,
        INITIAL,
    )
    last = found.filter(pl.col("source").is_in(_last_ppo_policies(connection, run_id, found["source"].to_list())))
    if last.is_empty():
        return found
    together = last.select(pl.lit(PPO).alias("source"), pl.col("prompts").min(), pl.exclude("source", "prompts").sum())
    return pl.concat([found, together.head(1)])


def score_cube(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    source: str | Sequence[str] = INITIAL,
    paraphrase: float = 0.0,
    seed: int = 0,
) -> ScoreCube:
    """Scores of all reward models for the responses of one source or several to the RM-test prompts.

    The responses of several sources alternate (`with_responses`). A share of the prompts, drawn by `seed`, is replaced
    by their paraphrases with the same sources' responses to those. Raises UnknownName for a run that is not there or a
    source that `sources` does not have, InvalidChoice for a share that its paraphrases do not allow.
    """
    there = sources(connection, run_id)
    names = [source] if isinstance(source, str) else list(source)
    unknown = [f"no source {name!r}" for name in names if name not in there["source"]]
    if unknown or not names:
        listed = ", ".join(f"{row['source']} ({row['responses']})" for row in there.to_dicts())
        wrong = unknown[0] if unknown else "no source is named"
        raise UnknownName(f"{wrong}; run {run_id!r} has, with responses per prompt: {listed}")
    last = _last_ppo_policies(connection, run_id, there["source"].to_list())
    policies = list(dict.fromkeys(policy for name in names for policy in (last if name == PPO else [name])))
    cube = _joined(connection, run_id, policies, "original")
    if not paraphrase:
        return cube
    without = [name for name in policies if not there.filter(source=name)["paraphrase_responses"].item()]
    if without:
        having = there.filter(pl.col("paraphrase_responses") > 0)["source"].to_list()
        raise InvalidChoice(f"source {without[0]!r} has no responses to paraphrases; those that have: {having}")
    return with_paraphrases(cube, _joined(connection, run_id, policies, "paraphrase"), paraphrase, seed)


def _joined(connection: duckdb.DuckDBPyConnection, run_id: str, policies: Sequence[str], form: str) -> ScoreCube:
    """The responses of all these policies to one form of the RM-test prompts."""
    cubes = [ScoreCube(*policy_scores(connection, run_id, policy, "rm_test", form)) for policy in policies]
    return cubes[0] if len(cubes) == 1 else with_responses(cubes)


def _last_ppo_policies(connection: duckdb.DuckDBPyConnection, run_id: str, among: Sequence[str]) -> list[str]:
    """Those of these policies that PPO made at the largest step of any, by id."""
    steps = _frame(
        connection,
        "SELECT policy_id, strength FROM policy WHERE run_id = ? AND optimizer = 'ppo' ORDER BY policy_id",
        run_id,
    ).filter(pl.col("policy_id").is_in(among))
    return steps.filter(pl.col("strength") == pl.col("strength").max())["policy_id"].to_list()


def best_of_n(
    connection: duckdb.DuckDBPyConnection, run_id: str, strengths: Sequence[float], samples: Samples | None = None
) -> NDArray[np.float64]:
    """Values `[S, M golden, M optimised, Q]` of best-of-n where they are not stored, from the RL-test scores."""
    scores_MPN = samples().scores_MPR if samples else initial_scores(connection, run_id, "rl_test")[0]
    return best_of_n_values(scores_MPN, [int(n) for n in strengths])


def policy_values(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    optimizer: str,
    strength: float,
    kl_coefficient: float | None = None,
    samples: Samples | None = None,
) -> PolicyValues:
    """Per-prompt values of the initial policy and of all policies of one optimiser at one strength.

    Best-of-n whose values are not stored, as in an imported run, is computed from the scores of the RL-test responses:
    `samples` gives them, or they are read here.
    Of several KL penalties one is read: `kl_coefficient`, or the default one (`kl_coefficients`). A reward model whose
    policy did not get this far (PPO that diverged) is marked in `optimised_M`.

    Raises InvalidChoice where the run has no such policies.
    """
    penalty = chosen_kl_coefficient(connection, run_id, optimizer, kl_coefficient)
    models = reward_models(connection, run_id)["reward_model_id"].to_list()
    values = _frame(
        connection,
        """
        SELECT policy.optimizer, policy.reward_model_id, value.golden_id, value.prompt_id, value.value,
               prompt.category, prompt.subset
        FROM policy_value AS value
        JOIN policy USING (run_id, policy_id) JOIN prompt USING (run_id, prompt_id)
        WHERE value.run_id = ? AND (
            policy.policy_id = ?
            OR (policy.optimizer = ? AND policy.strength = ? AND policy.kl_coefficient IS NOT DISTINCT FROM ?)
        )
        ORDER BY policy.optimizer = 'none' DESC, value.golden_id, policy.reward_model_id, value.prompt_id
        """,
        run_id,
        INITIAL,
        optimizer,
        strength,
        penalty,
    )
    initial = values.filter(optimizer="none")
    optimised = values.filter(pl.col("optimizer") != "none")
    prompt_ids = initial["prompt_id"].unique(maintain_order=True).to_list()
    M, Q = len(models), len(prompt_ids)
    there = strengths(connection, run_id, penalty)
    if there.filter(optimizer=optimizer, strength=strength).is_empty():
        known = [f"{row['optimizer']} {row['strength']:g}" for row in there.to_dicts()]
        raise InvalidChoice(f"run {run_id!r} has no policies of {optimizer!r} at {strength:g}; it has {known}")
    optimised_M = np.isin(models, optimised["reward_model_id"].unique().to_list())
    if optimised.is_empty() and optimizer == "bon":
        optimised_values = best_of_n(connection, run_id, [strength], samples)[0]
        optimised_M = np.ones(M, dtype=bool)
    else:
        optimised_values = optimised["value"].to_numpy()
    if initial.height != M * Q or optimised_values.size != M * optimised_M.sum() * Q:
        raise InvalidChoice(f"run {run_id!r} lacks values of {optimizer!r} at {strength:g} for some reward models")
    described = initial.head(Q)
    initial_MQ = initial["value"].to_numpy().reshape(M, Q)
    optimised_MMQ = optimised_values.reshape(M, -1, Q)
    if not optimised_M.all():
        there_MMQ, optimised_MMQ = optimised_MMQ, np.repeat(initial_MQ[:, None], M, axis=1)
        optimised_MMQ[:, optimised_M] = there_MMQ
    return PolicyValues(
        initial_MQ=initial_MQ,
        optimised_MMQ=optimised_MMQ,
        reward_models=tuple(models),
        prompts=tuple(prompt_ids),
        categories=tuple(described["category"]),
        subsets=tuple(described["subset"]),
        optimised_M=None if optimised_M.all() else optimised_M,
    )


def picks(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    golden_id: str,
    proxy_id: str,
    n: int,
    limit: int = 20,
    samples: ScoreCube | None = None,
) -> pl.DataFrame:
    """What best-of-n picks under both reward models among the first n samples of each RL-test prompt.

    Columns: `prompt_id, category, subset, prompt, golden_pick, proxy_pick` (texts), `golden_of_golden_pick,
    golden_of_proxy_pick, proxy_of_golden_pick, proxy_of_proxy_pick` (scores) and `loss`, the golden score given up by
    following the proxy, in standard deviations of the golden's scores; the greatest loss first. `samples` are the
    `initial_scores` of the RL-test prompts, read here if they are not at hand.
    """
    samples = samples or ScoreCube(*initial_scores(connection, run_id, "rl_test"))
    models, prompt_ids = samples.reward_models, samples.prompts
    for name in (golden_id, proxy_id):
        if name not in models:
            raise UnknownName(f"reward model {name!r} is not in run {run_id!r}; it has {list(models)}")
    golden_PN, proxy_PN = (samples.scores_MPR[models.index(name)] for name in (golden_id, proxy_id))
    if not 1 <= n <= golden_PN.shape[1]:
        raise InvalidChoice(f"n is {n}; run {run_id!r} has samples for n from 1 to {golden_PN.shape[1]}")
    rows = np.arange(len(prompt_ids))
    best_by_golden, best_by_proxy = golden_PN[:, :n].argmax(axis=1), proxy_PN[:, :n].argmax(axis=1)
    loss = (golden_PN[rows, best_by_golden] - golden_PN[rows, best_by_proxy]) / max(float(golden_PN.std()), 1e-12)
    order = np.argsort(-loss, kind="stable")[:limit]
    picked = {(prompt_ids[p], int(best[p])) for p in order for best in (best_by_golden, best_by_proxy)}
    texts = _frame(
        connection,
        """
        SELECT prompt_id, sample, response.text AS response, prompt.text AS prompt
        FROM (SELECT unnest(?) AS prompt_id, unnest(?) AS sample) AS picked
        JOIN response USING (prompt_id, sample) JOIN prompt USING (run_id, prompt_id)
        WHERE run_id = ? AND policy_id = ? AND prompt_form = 'original'
        """,
        [prompt_id for prompt_id, _ in picked],
        [sample for _, sample in picked],
        run_id,
        INITIAL,
    )
    text = dict(zip(zip(texts["prompt_id"], texts["sample"], strict=True), texts["response"], strict=True))
    prompt_text = dict(zip(texts["prompt_id"], texts["prompt"], strict=True))
    columns: dict[str, list[Any]] = {
        "prompt_id": [prompt_ids[p] for p in order],
        "category": [samples.categories[p] for p in order],
        "subset": [samples.subsets[p] for p in order],
        "prompt": [prompt_text[prompt_ids[p]] for p in order],
        "golden_pick": [text[prompt_ids[p], int(best_by_golden[p])] for p in order],
        "proxy_pick": [text[prompt_ids[p], int(best_by_proxy[p])] for p in order],
        "golden_of_golden_pick": [float(golden_PN[p, best_by_golden[p]]) for p in order],
        "golden_of_proxy_pick": [float(golden_PN[p, best_by_proxy[p]]) for p in order],
        "proxy_of_golden_pick": [float(proxy_PN[p, best_by_golden[p]]) for p in order],
        "proxy_of_proxy_pick": [float(proxy_PN[p, best_by_proxy[p]]) for p in order],
        "loss": [float(loss[p]) for p in order],
    }
    return pl.DataFrame(columns)


Scores = tuple[NDArray[np.float32], tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""Scores `[M, P, R]` and the names along their axes: reward models, and prompts with their categories and subsets."""


def initial_scores(connection: duckdb.DuckDBPyConnection, run_id: str, split: str) -> Scores:
    """Scores of the initial policy's responses to the prompts of one split, in their own words.

    Raises InvalidChoice where the scores are not dense.
    """
    return policy_scores(connection, run_id, INITIAL, split)


def policy_scores(
    connection: duckdb.DuckDBPyConnection, run_id: str, policy_id: str, split: str, prompt_form: str = "original"
) -> Scores:
    """Scores of a policy's responses to the prompts of one split, in their own words or paraphrased.

    Raises InvalidChoice where the scores are not dense: another number of responses, or of reward models, for some
    prompt.
    """
    models = tuple(reward_models(connection, run_id)["reward_model_id"])
    M = len(models)
    scores_MK, there_MK, number_K = scores_in_place(connection, run_id, policy_id, split, prompt_form, models)
    scored_K = there_MK.any(axis=0)
    number_K = number_K[scored_K]
    responses_P = np.bincount(number_K)
    described = prompts(connection, run_id, split)[np.flatnonzero(responses_P)]
    P = described.height
    if P == 0 or len(np.unique(responses_P[responses_P > 0])) > 1 or not there_MK[:, scored_K].all():
        raise InvalidChoice(
            f"run {run_id!r}: the {split} responses of {policy_id!r} do not all have scores of all {M} reward models"
        )
    dense_MK = scores_MK if scored_K.all() else scores_MK[:, scored_K]
    return (
        dense_MK.reshape(M, P, -1),
        models,
        tuple(described["prompt_id"]),
        tuple(described["category"]),
        tuple(described["subset"]),
    )


def _frame(connection: duckdb.DuckDBPyConnection, query: str, *values: object) -> pl.DataFrame:
    return connection.execute(query, list(values)).pl()
