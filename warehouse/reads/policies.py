"""Which optimised policies a run has: strengths, KL penalties, how far they moved, and how PPO went."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from warehouse.errors import InvalidChoice
from warehouse.schema import INITIAL, RL_ALGORITHMS
from warehouse.store import Connection


class KlReach(NamedTuple):
    """How far an optimiser's policies get from the initial one, in nats: the least of them, and the farthest."""

    least: float
    farthest: float


def strengths(connection: Connection, run_id: str, kl_coefficient: float | None = None) -> pl.DataFrame:
    """The optimisers of a run and the strengths of their policies: columns `optimizer`, `strength`, `policies`.

    Of several KL penalties one counts: `kl_coefficient` if the optimiser was used with it, else the default one.
    """
    counted = connection.execute(
        """
        SELECT optimizer, kl_coefficient, strength, count(*) AS policies FROM policy
        WHERE run_id = ? AND optimizer <> 'none' GROUP BY ALL ORDER BY ALL
        """,
        [run_id],
    ).pl()
    chosen = [counted.clear()]
    for (optimizer,), rows in counted.group_by("optimizer", maintain_order=True):
        penalties = kl_coefficients(connection, run_id, str(optimizer))
        penalty = kl_coefficient if kl_coefficient in penalties else penalties[0] if penalties else None
        chosen.append(rows.filter(pl.col("kl_coefficient").eq_missing(penalty)))
    return pl.concat(chosen).drop("kl_coefficient")


def usual_strength(connection: Connection, run_id: str, optimizer: str, kl_coefficient: float | None = None) -> float:
    """The strength of an optimiser that is shown unless another one is chosen: the greatest.

    Of best-of-n, the greatest n that at least half of the RL-test prompts have responses for. Raises InvalidChoice if
    the run has no such policies.
    """
    known = strengths(connection, run_id, kl_coefficient)
    own = known.filter(optimizer=optimizer)["strength"].to_list()
    if not own:
        named = sorted(set(known["optimizer"].to_list()))
        raise InvalidChoice(f"the run has no policies of optimiser {optimizer!r}; it has {named}")
    if optimizer != "bon":
        return float(max(own))
    return float(max(within_reach(connection, run_id, own) or own[:1]))


def within_reach(connection: Connection, run_id: str, strengths: Sequence[float]) -> list[float]:
    """Those n of best-of-n that at least half of the RL-test prompts have responses for; all if none are stored."""
    (reached,) = connection.execute(
        """
        SELECT quantile_disc(responses, 0.5) FROM (
            SELECT count(*) AS responses FROM response JOIN prompt USING (run_id, prompt_id)
            WHERE run_id = ? AND split = 'rl_test' AND policy_id = ? AND prompt_form = 'original' GROUP BY prompt_id
        )
        """,
        [run_id, INITIAL],
    ).fetchone() or (None,)
    return [n for n in strengths if reached is None or n <= reached]


def kl_coefficients(connection: Connection, run_id: str, optimizer: str) -> tuple[float, ...]:
    """The KL penalties that an optimiser's policies were trained with: the default one first, the others ascending.

    The default is the profile's own, `ppo.kl_coefficient` in the run's settings, whichever policies survived. In a run
    without it, such as an imported one, or if all its policies were lost, it is the penalty of most policies over all
    strengths, the smallest of those on a tie. Empty for an optimiser without penalties.
    """
    frame = connection.execute(
        """
        SELECT kl_coefficient, count(*) AS policies FROM policy
        WHERE run_id = ? AND optimizer = ? AND kl_coefficient IS NOT NULL
        GROUP BY ALL ORDER BY policies DESC, kl_coefficient
        """,
        [run_id, optimizer],
    ).pl()
    counted = frame["kl_coefficient"].to_list()
    own = _profile_kl_coefficient(connection, run_id, optimizer)
    default = [own] if own in counted else counted[:1]
    return (*default, *sorted(set(counted) - set(default)))


def _profile_kl_coefficient(connection: Connection, run_id: str, optimizer: str) -> float | None:
    """The optimiser's own, `ppo.each.<optimizer>`, or the common one.

    None if the stored settings are no profile with PPO: those of an imported run may be anything.
    """
    (config,) = connection.execute("SELECT config FROM run WHERE run_id = ?", [run_id]).fetchone() or ("{}",)
    try:
        settings = json.loads(config)["ppo"]
        own = settings.get("each", {}).get(optimizer, {})
        return float(own.get("kl_coefficient", settings["kl_coefficient"]))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None


def chosen_kl_coefficient(
    connection: Connection, run_id: str, optimizer: str, kl_coefficient: float | None
) -> float | None:
    """The KL penalty whose policies to read: the given one, or for None the default; None if there are no penalties.

    Raises InvalidChoice for a penalty that the optimiser was not used with.
    """
    penalties = kl_coefficients(connection, run_id, optimizer)
    if kl_coefficient is None:
        return penalties[0] if penalties else None
    if kl_coefficient not in penalties:
        known = f"it has {sorted(penalties)}" if penalties else "its policies have no KL coefficient"
        raise InvalidChoice(f"run {run_id!r} has no {optimizer} with KL coefficient {kl_coefficient:g}; {known}")
    return kl_coefficient


def of_optimizer(
    connection: Connection, run_id: str, optimizer: str, kl_coefficient: float | None = None
) -> pl.DataFrame:
    """Rows of table `policy` of an optimiser with one KL penalty (None: the default), by strength and reward model.

    Raises InvalidChoice for a penalty that the optimiser was not used with.
    """
    penalty = chosen_kl_coefficient(connection, run_id, optimizer, kl_coefficient)
    return connection.execute(
        """
        SELECT * FROM policy
        WHERE run_id = ? AND optimizer = ? AND reward_model_id IS NOT NULL AND kl_coefficient IS NOT DISTINCT FROM ?
        ORDER BY strength, reward_model_id, repeat NULLS FIRST, policy_id
        """,
        [run_id, optimizer, penalty],
    ).pl()


def mean_kl(frame: pl.DataFrame) -> pl.DataFrame:
    """The mean known KL of policies (rows of `of_optimizer`) over their repeats: `strength, reward_model_id, kl`.

    Sorted by strength and reward model; null where none is known.
    """
    by = "strength", "reward_model_id"
    return frame.group_by(by).agg(pl.col("kl").mean()).sort(by)


def known_kl(
    connection: Connection, run_id: str, optimizer: str, strength: float, kl_coefficient: float | None = None
) -> dict[str, float]:
    """KL in nats of an optimiser's policies at one strength, by reward model; those whose KL is unknown are left out.

    Of policies that were optimised several times, the mean. An upper bound for best-of-n, an estimate for others.
    Raises as `of_optimizer`.
    """
    frame = of_optimizer(connection, run_id, optimizer, kl_coefficient).filter(strength=strength).drop_nulls("kl")
    return dict(mean_kl(frame).select("reward_model_id", "kl").iter_rows())


def optimised(connection: Connection, run_id: str) -> list[str]:
    """Ids of all policies that were optimised against a reward model."""
    query = "SELECT policy_id FROM policy WHERE run_id = ? AND reward_model_id IS NOT NULL ORDER BY policy_id"
    ids: list[str] = connection.execute(query, [run_id]).pl()["policy_id"].to_list()
    return ids


def responses_to_a_prompt(connection: Connection, run_id: str, optimizer: str, strength: float) -> int | None:
    """The fewest responses that a value at one strength comes from, to an RL-test prompt; None without any.

    All repeats of a policy together.
    Policies of best-of-n give none of their own: their values are expectations over the initial policy's samples.
    """
    chosen = of_optimizer(connection, run_id, optimizer).filter(strength=strength)["policy_id"].to_list()
    row = connection.execute(
        """
        SELECT min(responses) FROM (
            SELECT count(*) AS responses
            FROM response JOIN prompt USING (run_id, prompt_id) JOIN policy USING (run_id, policy_id)
            WHERE run_id = $run AND split = 'rl_test' AND list_contains($policies, policy_id)
            GROUP BY reward_model_id, prompt_id
        )
        """,
        {"run": run_id, "policies": chosen},
    ).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def kl_reach(connection: Connection, run_id: str, optimizer: str) -> KlReach | None:
    """How far an optimiser's policies get, on average over repeats; None if no KL is known or none is above 0."""
    frame = mean_kl(of_optimizer(connection, run_id, optimizer).drop_nulls("kl"))
    farthest = frame.group_by("reward_model_id").agg(pl.col("kl").max())["kl"].to_list()
    reached = [kl for kl in farthest if kl > 0]
    return KlReach(min(reached), max(reached)) if reached else None


def stopped_ppo(connection: Connection, run_id: str) -> pl.DataFrame:
    """Optimisations that diverged or failed: `ppo_id, reward_model_id, kl_coefficient, steps, steps_done, reason`."""
    return connection.execute(
        """
        SELECT ppo_id, reward_model_id, kl_coefficient, steps, steps_done, reason FROM ppo_run
        WHERE run_id = ? AND state <> 'finished' ORDER BY ppo_id
        """,
        [run_id],
    ).pl()


def ppo_curves(connection: Connection, run_id: str) -> pl.DataFrame:
    """Metrics recorded while policies were optimised step by step: `model_id, metric, step, value`, by all three.

    A `model_id` is the optimiser, a KL penalty and a repeat if any, `/` and the reward model that the policy was
    optimised against: `rloo/flip-0.20`, `rloo-kl0.2-r1/flip-0.20`.
    """
    return connection.execute(
        """
        SELECT model_id, metric, step, value FROM training_curve
        WHERE run_id = ? AND list_contains(?, regexp_extract(model_id, '^(.*?)(-kl[^/]*?)?(-r[0-9]+)?/', 1))
        ORDER BY model_id, metric, step
        """,
        [run_id, list(RL_ALGORITHMS)],
    ).pl()
