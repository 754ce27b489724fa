"""The sentences of a report card. Pure functions of the card; foreign names are as they are, the page escapes them."""

from __future__ import annotations

from typing import Any

from app.components.formats import count, number, percent
from app.report.subject import Section
from warehouse.claims import choosing
from warehouse.metrics.catalogue import optimizer_words
from warehouse.study.correlation import FEW_MODELS

KINDS = {
    "flip": "trained here, a share of its labels flipped at random",
    "size": "trained here, on fewer preference pairs",
    "depth": "trained here, with more layers than the head",
    "seed": "trained here, with another seed",
    "length": "trained here, a share of its labels set to the longer response",
    "category-flip": "trained here, a share of its labels in one category flipped",
    "margin-flip": "trained here, the labels of the closest pairs flipped",
    "only-category": "trained here, on the pairs of one category alone",
    "model": "a model that was trained elsewhere and scored here",
    "server": "a reward server that scored here",
    "import": "its scores were computed elsewhere and imported",
    "label": "the labels of a benchmark",
    "grade": "grades that people gave",
    "verifier": "what a verifier says",
    "ensemble": "made from the scores of others",
}

TERMS = {
    "golden": "the scorer that counts as the truth: its scores are taken as the true quality of a response.",
    "accuracy": "share of the pairs that the golden orders which the reward model orders alike; 0.5 is chance.",
    "best-of-n": "draw n responses and keep the one that the reward model scores highest. Computed exactly.",
    "gain": "by how much the golden's mean score rises above that of the initial policy, in standard deviations (sd) "
    "of the golden within prompts.",
    "NDR": "normalised drop ratio: this gain as a share of what the same optimiser gains with the golden itself. 1: "
    "nothing is lost; 0: no gain.",
    "groups": "reward models with a letter in common cannot be told apart; all pairs are tested at once (Romano–Wolf).",
    "95% interval": "from prompts drawn again; another training seed of the reward model is not part of it.",
}

_NAMED = 4


def with_interval(figure: Section | None, unit: str = "measure") -> str:
    """A figure and its interval: `0.675 (0.657 to 0.693)`, `87.9% (85.3% to 90.5%)`, `0.80 sd (0.76 to 0.84)`."""
    if figure is None or figure["value"] is None:
        return "undefined"
    text = amount(figure["value"], unit)
    if figure["low"] is None or figure["high"] is None:
        return f"{text} (no interval)"
    low, high = (amount(figure[end], unit).removesuffix(" sd") for end in ("low", "high"))
    return f"{text} ({low} to {high})"


def amount(value: float | None, unit: str) -> str:
    """A figure in its unit: `share` in percent, `sd`, or a measure's."""
    if value is None:
        return "undefined"
    if unit == "share":
        return f"{number(100 * value, 1)}%"
    return f"{number(value, 2)} sd" if unit == "sd" else number(value, 3)


def ordinal(rank: int) -> str:
    """`1st`, `2nd`, `11th`."""
    ending = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{ending}"


def listed(names: list[str], most: int = _NAMED) -> str:
    """`a, b and 3 more`."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def judged_by(card: Section) -> str:
    """The goldens in words."""
    goldens, truth = card["judged_by"]["goldens"], card["judged_by"]["truth"]
    if truth == "the others":
        return f"the {len(goldens)} other scorers" if len(goldens) > 1 else "the other scorer"
    return listed(goldens)


def is_right_or_wrong(card: Section) -> bool:
    """Whether the golden says right or wrong."""
    return bool(card["best_of_n"]) and card["best_of_n"]["unit"] == "share"


def answer(card: Section) -> str:
    """In a sentence: what its best-of-n policy is worth, and how that compares."""
    name, best = card["reward_model"]["name"], card["best_of_n"]
    if best is None:
        accuracy = card["accuracy"]
        if accuracy is None:
            return f"{name} has no figure in this run; what is missing is listed below."
        return (
            f"{name} orders {with_interval(accuracy, 'share')} of the pairs of responses as {judged_by(card)} "
            f"{'does' if len(card['judged_by']['goldens']) == 1 else 'do'}; what its policy is worth is unknown."
        )
    figure = with_interval(best, best["unit"])
    does = f"gets {figure} right" if best["unit"] == "share" else f"gains {figure}"
    text = f"Best-of-{best['n']} by {name} {does}, judged by {judged_by(card)} on {count(best['prompts'], 'prompt')}"
    if best["of"] < 2:
        return f"{text}. No other reward model of this run is there to compare it with."
    alike = best["cannot_be_told_from"]
    above = sum(row["rank"] < best["rank"] and row["reward_model"] not in alike for row in best["ranking"])
    below = sum(row["rank"] > best["rank"] and row["reward_model"] not in alike for row in best["ranking"])
    parts = [f"{above} clearly better", f"{below} clearly worse", f"{len(alike)} that cannot be told apart from it"]
    return f"{text}: {ordinal(best['rank'])} of {best['of']} reward models, with {', '.join(parts[:2])} and {parts[2]}."


def points(card: Section) -> list[str]:
    """What else a reader takes in at once."""
    lines = [_accuracy(card), _ndr(card), _optimizers(card), _predicted(card), _length(card), _edits(card)]
    lines += [_weakest(card), _favourite(card)]
    return [line for line in lines if line]


def tiles(card: Section) -> list[tuple[str, str, str]]:
    """The figures at the top: label, figure, interval or remark."""
    best, accuracy, identity = card["best_of_n"], card["accuracy"], card["reward_model"]
    rows: list[tuple[str, str, str]] = []
    if best:
        label = f"Right by best-of-{best['n']}" if best["unit"] == "share" else f"Gain of best-of-{best['n']}"
        rows.append((label, *_split(best, best["unit"])))
        rows.append((f"NDR of best-of-{best['n']}", *_split(best["ndr"])))
        if best["of"] > 1:
            groups = choosing.letters(best["groups"])
            rows.append(("Rank", f"{best['rank']} of {best['of']}", f"groups {groups}" if groups else ""))
    if accuracy:
        rows.append(("Accuracy", *_split(accuracy)))
    if card["length"]:
        rows.append(("Length correlation", *_split(card["length"])))
    if card["calibration"]:
        rows.append(("Calibration error", *_split(card["calibration"]["error"])))
    if identity["validation_accuracy"]["value"] is not None:
        rows.append(("Validation accuracy", *_split(identity["validation_accuracy"])))
    return rows


def cautions(card: Section) -> list[str]:
    """What to beware of."""
    candidates, lines = card["judged_by"]["candidates"], []
    if card["judged_by"]["truth"] == "the others":
        lines.append(
            "No scorer of this run is the truth, so the reward model is judged by all others. That says how much it "
            "agrees with the rest, not whether it is right."
        )
    if candidates < FEW_MODELS:
        models = count(candidates, "reward model")
        lines.append(f"The rank is among {models}; fewer than {FEW_MODELS} say little about others.")
    if card["shared_prompts"]:
        lines.append(
            f"The same {count(card['shared_prompts'], 'prompt')} on both sides: accuracy and the worth of policies are "
            "measured on the same responses, so what is by chance in one is in the other too."
        )
    if card["best_of_n"] and card["best_of_n"]["of"] > 1:
        lines.append(
            "If you chose this reward model because it came first, read the intervals that hold for all at once (the "
            "winner's curse); others hold for a reward model that was named beforehand."
        )
    lines.append("Intervals of parts (categories, subsets, bins) hold for each alone: they say where to look.")
    lines.append("Intervals are over prompts. Another training seed, or prompts of another kind, is not part of them.")
    return lines


def undefined(row: Section) -> str:
    """How much of what has no figure: `92 of 520`, or `all`."""
    return "all" if row["count"] is None else f"{row['count']:,} of {row['of']:,}"


def optimizer(row: Section) -> str:
    """`PPO after 40 steps` and the like."""
    return optimizer_words(row["optimizer"]).at.format(f"{row['strength']:g}")


def _split(figure: Section, unit: str = "measure") -> tuple[str, str]:
    whole = with_interval(figure, unit)
    value, _, rest = whole.partition(" (")
    return value, rest.removesuffix(")")


def _accuracy(card: Section) -> str:
    accuracy = card["accuracy"]
    if not accuracy:
        return ""
    used = accuracy["prompts"] - accuracy["undefined_prompts"]
    of = (
        f"{used:,} of {count(accuracy['prompts'], 'prompt')}"
        if accuracy["undefined_prompts"]
        else count(used, "prompt")
    )
    rank = f", {ordinal(accuracy['rank'])} of {accuracy['of']}" if accuracy["of"] > 1 else ""
    return f"Accuracy {with_interval(accuracy)}{rank}: the share of pairs ordered as {judged_by(card)} on {of}."


def _ndr(card: Section) -> str:
    best = card["best_of_n"]
    if not best or best["ndr"]["value"] is None:
        return ""
    itself = "the golden itself" if len(card["judged_by"]["goldens"]) == 1 else "each of them itself"
    return f"NDR {with_interval(best['ndr'])}: of what best-of-{best['n']} by {itself} gains, it gets this share."


def _optimizers(card: Section) -> str:
    rows = [
        f"{optimizer(row)} {with_interval(row, row['unit'])}, {ordinal(row['rank'])} of {row['of']}, NDR "
        f"{with_interval(row['ndr'])}"
        for row in card["optimizers"]
    ]
    return f"By other optimisers: {'; '.join(rows)}." if rows else ""


def _predicted(card: Section) -> str:
    rows = []
    for row in card["predicted"]:
        what = "NDR" if row["quantity"] == "ndr" else "gain"
        measured = "" if row["measured"] is None else f", measured {amount(row['measured'], 'measure')}"
        rows.append(f"{optimizer(row)} {what} {with_interval(row)}{measured}")
    if not rows:
        return ""
    new = any(row["new_kind"] for row in card["predicted"])
    kind = " No other reward model with such policies is of its kind, so nothing is promised." if new else ""
    level = percent(card["predicted"][0]["level"])
    return f"Predicted from RM-test scores, without its own policies ({level} intervals): {'; '.join(rows)}.{kind}"


def _length(card: Section) -> str:
    best = card["best_of_n"]
    parts = [f"Rank correlation of score and length {with_interval(card['length'])}"] if card["length"] else []
    if best and best["length_alone"]:
        alone = best["length_alone"]
        figures = (with_interval(alone[side], best["unit"]) for side in ("longest", "shortest"))
        longest, shortest = figures
        parts.append(f"always the longest of {best['n']} responses reaches {longest}, always the shortest {shortest}")
        if best["value"] <= max(alone["longest"]["value"], alone["shortest"]["value"]):
            parts.append("so this reward model reaches no more than length alone")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _edits(card: Section) -> str:
    rows = card["edits"] or []
    if not rows:
        return ""
    parts = [f"{row['edit']} {with_interval(row, 'sd')}" for row in rows]
    return (
        f"Its score changes when a response is edited, content aside, by {', '.join(parts)}; means over "
        f"{count(rows[0]['prompts'], 'prompt')}."
    )


def _weakest(card: Section) -> str:
    parts = [row for row in (card["accuracy"] or {}).get("categories", []) if row["value"] is not None]
    if len(parts) < 2:
        return ""
    worst, best = (pick(parts, key=_value) for pick in (min, max))
    return (
        f"Accuracy is lowest on {worst['part']}, {with_interval(worst)}, and highest on {best['part']}, "
        f"{with_interval(best)}."
    )


def _value(row: Any) -> float:
    return float(row["value"])


def _favourite(card: Section) -> str:
    failing = card["failures"]
    if not failing:
        return ""
    favourite = failing["favourite"]
    prompts = f"{failing['prompts_that_lose']:,} of {count(failing['prompts'], 'prompt')}"
    loses = f"On {prompts} another response is better than its favourite"
    if favourite["value"] is None:
        return f"{loses}."
    chance = percent(favourite["chance"])
    return f"{loses}; it is {favourite['is']} on {with_interval(favourite, 'share')}, a random response on {chance}."
