"""The sentences of the Responses page. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from app.components.formats import count, escape, listed, number, percent

SPLITS = {"rl_test": "RL-test", "rm_test": "RM-test"}
"""The prompts that can be browsed, and their names."""

EMPTY = "(empty response)"


def what_is_shown(run_id: str, split: str, prompts: int, search: str) -> str:
    """One line: the run, how many prompts match, and the search."""
    hits = f" with “{escape(search)}” in the prompt or a response" if search else ""
    return f"Run **{escape(run_id)}** · {count(prompts, f'{SPLITS[split]} prompt')}{hits}"


def prompt_option(row: Mapping[str, Any], *, searched: bool) -> str:
    """A prompt in a menu, as plain text: its id and first words."""
    hits = f" · {count(row['hits'], 'response')}" if searched and row["hits"] else ""
    text = " ".join(str(row["text"]).split())
    return f"{row['prompt_id']}{hits} · {text[:80]}{'…' if len(text) > 80 else ''}"


def prompt_line(row: Mapping[str, Any]) -> str:
    """Category, subset, id and expected answer of a prompt."""
    parts = [escape(row["category"]), escape(row["subset"]), escape(row["prompt_id"])]
    if row["answer"] is not None:
        parts.append(f"right answer: {escape(row['answer'])}")
    if row["refuse"] is not None:
        parts.append("a good assistant refuses" if row["refuse"] else "a good assistant complies")
    return " · ".join(parts)


def policy_option(row: Mapping[str, Any]) -> str:
    """A policy in a menu, as plain text."""
    name = "Initial policy π₀" if row["policy_id"] == "initial" else str(row["policy_id"])
    return f"{name} · {count(row['responses'], 'response')}"


def ending(endings: pl.DataFrame, policy_id: str) -> str:
    """How many of a policy's responses to the RL-test prompts end by themselves, and how long they are."""
    row = endings.filter(policy_id=policy_id).drop_nulls("finished_share")
    if row.is_empty():
        return "How many of this policy's responses to the RL-test prompts end by themselves is unknown."
    share, tokens = row.select("finished_share", "mean_tokens").row(0)
    return (
        f"{percent(share)} of this policy's responses to the RL-test prompts end by themselves, the others are cut "
        f"off at the length limit; {number(tokens, 0)} tokens on average."
    )


def response_length(row: Mapping[str, Any]) -> str:
    """How long a response is: in tokens, or in characters if nobody counted tokens."""
    return count(row["tokens"], "token") if row["tokens"] else count(len(row["text"]), "character")


def response_line(row: Mapping[str, Any]) -> str:
    """Number and length of a response, and which reward models pick it."""
    parts = [f"**Response {row['sample'] + 1}**", response_length(row)]
    if not row["finished"]:
        parts.append("cut off at the maximum length")
    if row["mean"] is not None:
        parts.append(f"mean standardised score {number(row['mean'])}")
    if picked := row["picked_by"]:
        parts.append(f":material/radio_button_checked: picked by {listed(picked)}")
    return " · ".join(parts)


def checkpoint_line(row: Mapping[str, Any]) -> str:
    """Step, KL and id of a checkpoint."""
    kl = "" if row["kl"] is None else f" · KL {number(row['kl'])} nats"
    return f"**Step {row['strength']:g}**{kl} · {escape(row['policy_id'])}"


def scores_line(reward_model: str, own: float | None, others: float | None) -> str:
    """A response's standardised scores: by the reward model it was optimised against, and by the others."""
    return f"{escape(reward_model)}: {number(own)} sd · mean of the others: {number(others)} sd"


def not_trained(split: str) -> str:
    """Why there are no responses of trained policies to show."""
    if split != "rl_test":
        return "Trained policies answer RL-test prompts: choose those to see their responses step by step."
    return (
        "No trained policy answered this prompt: the run has none, or they were evaluated on other prompts. "
        "Best-of-n writes no responses of its own; its picks are ringed above."
    )


def strip_note(shown: int, reward_models: int) -> str:
    """How to read the heat strip."""
    note = (
        "Scores in standard deviations of each reward model within prompts, relative to the mean of the initial "
        "policy's responses to this prompt; colours saturate at ±2. A ring marks the response that best-of-n picks."
    )
    return note if shown == reward_models else f"{note} The first {shown} of {reward_models} reward models by name."


def nothing_found(search: str) -> str:
    """Why no prompt is listed."""
    return f"No prompt and no response here contains “{escape(search)}”." if search else "No prompts match."
