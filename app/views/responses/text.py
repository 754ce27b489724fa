"""The sentences of the Responses page. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.components.formats import count, escape, number

SPLITS = {"rl_test": "RL-test", "rm_test": "RM-test"}
"""The prompts that can be browsed, and how they are called."""

EMPTY = "(an empty response)"


def what_is_shown(run_id: str, split: str, found: int, search: str) -> str:
    """One line: run, how many prompts there are to browse, and why these."""
    hits = f" with “{escape(search)}” in the prompt or a response" if search else ""
    return f"Run **{escape(run_id)}** · {count(found, f'{SPLITS[split]} prompt')}{hits}"


def prompt_option(row: Mapping[str, Any], searched: bool) -> str:
    """A prompt in a menu, as plain text: id, and how it begins."""
    hits = f" · {count(row['hits'], 'response')}" if searched and row["hits"] else ""
    text = " ".join(str(row["text"]).split())
    return f"{row['prompt_id']}{hits} · {text[:80]}{'…' if len(text) > 80 else ''}"


def prompt_line(row: Mapping[str, Any]) -> str:
    """What is known of a prompt."""
    parts = [escape(row["category"]), escape(row["subset"]), escape(row["prompt_id"])]
    if row["answer"] is not None:
        parts.append(f"right answer: {escape(row['answer'])}")
    if row["refuse"] is not None:
        parts.append("a good assistant declines" if row["refuse"] else "a good assistant complies")
    return " · ".join(parts)


def policy_option(row: Mapping[str, Any]) -> str:
    """A policy in a menu, as plain text."""
    name = "Initial policy π_0" if row["policy_id"] == "initial" else str(row["policy_id"])
    return f"{name} · {count(row['responses'], 'response')}"


def response_line(row: Mapping[str, Any]) -> str:
    """Number, length and who picks a response."""
    parts = [f"**Response {row['sample'] + 1}**", count(row["tokens"], "token")]
    if not row["finished"]:
        parts.append("cut off at the longest response")
    if row["mean"] is not None:
        parts.append(f"mean standardised score {number(row['mean'])}")
    if picked := row["picked_by"]:
        parts.append(f":material/radio_button_checked: picked by {_names(picked)}")
    return " · ".join(parts)


def checkpoint_line(row: Mapping[str, Any]) -> str:
    """Step, divergence and id of a PPO checkpoint."""
    kl = "" if row["kl"] is None else f" · KL {number(row['kl'])} nats"
    return f"**Step {row['strength']:g}**{kl} · {escape(row['policy_id'])}"


def scores_line(reward_model: str, own: float | None, others: float | None) -> str:
    """A response's standardised scores: by the reward model it was optimised against, and by the others."""
    return f"{escape(reward_model)}: {number(own)} sd · mean of the others: {number(others)} sd"


def no_ppo(split: str) -> str:
    """Why there is nothing to put beside the initial policy."""
    if split != "rl_test":
        return "Optimised policies answer RL-test prompts: choose those to see PPO’s outputs step by step."
    return (
        "No PPO checkpoint answered this prompt: the run has no PPO policies, or they were valued on others. "
        "Best-of-n has no texts of its own; its picks are ringed above."
    )


def strip_note(shown: int, of: int) -> str:
    """How to read the heat strip."""
    note = (
        "In each reward model's standard deviations within prompts, from the mean of the initial policy's responses "
        "to this prompt; shades end at ±2. A ring is what best-of-n picks among all of these."
    )
    return note if shown == of else f"{note} The first {shown} of {of} reward models by name."


def nothing_found(search: str) -> str:
    """Why no prompt is listed."""
    return f"No prompt and no response here holds “{escape(search)}”." if search else "No prompts of this choice."


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(escape(name) for name in names[:4])
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown
