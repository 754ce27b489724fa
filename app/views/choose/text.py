"""The sentences of the Choose page. Pure functions; foreign names come out escaped for Markdown."""

from __future__ import annotations

from app.components.formats import count, escape, interval, number, percent
from app.views.choose.data import outcome_of
from warehouse.claims import choosing
from warehouse.metrics.catalogue import MEASURES, optimizer_words
from warehouse.stats.bootstrap import Estimate
from warehouse.study.choice.answer import BEST_OF_N, Answer

NO_TEXTS = "The texts of this run's responses were not stored."
NO_SAMPLES = (
    "This run has no scores of samples to RL-test prompts, so there is no best-of-n; reward models are ranked by {}."
)


def by(name: str) -> str:
    """What reward models are ranked by, in a menu."""
    if (outcome := outcome_of(name)) is not None:
        return f"Outcome: {outcome}"
    return f"Measure: {MEASURES[name].title}" if name in MEASURES else optimizer_words(name).title


def headline(answer: Answer) -> str:
    """The answer in one sentence or two."""
    return bold(choosing.headline(answer, escape), escape(answer.ranking.names[0]))


def beside(answer: Answer) -> list[str]:
    """What stands below the answer: how much more would tell, the golden, and what was left out."""
    worth, left_out = answer.worth, []
    if worth.left_out:
        left_out.append(f"Left out, without a figure: {', '.join(map(escape, worth.left_out))}.")
    if answer.fewer_samples:
        left_out.append(choosing.fewer_samples(answer))
    sentences = [choosing.more(answer, escape), choosing.length_alone(answer), choosing.truths(answer, escape)]
    return [sentence for sentence in (*sentences, *left_out) if sentence]


def what_is_shown(run_id: str, answer: Answer) -> str:
    """One line: run, candidates, by what, prompts, and what intervals resample."""
    kind = "RM-test" if answer.question.by in MEASURES else "RL-test"
    where = ", ".join(map(escape, answer.question.subsets or answer.question.categories))
    return " · ".join(
        [
            f"Run **{escape(run_id)}**",
            count(len(answer.ranking.names), "reward model"),
            answer.at[:1].upper() + answer.at[1:],
            count(answer.ranking.prompts, f"{kind} prompt") + (f" ({where})" if where else ""),
            "95% intervals over prompts, which come with the noise of their responses",
        ]
    )


def how_to_read(answer: Answer) -> str:
    """How to read the ranking."""
    return (
        "Thin: the 95% interval that holds for all reward models at once; thick: of each alone. Reward models with a "
        "letter in common cannot be told apart (all pairs at once, Romano–Wolf); those that may be the best are "
        f"opaque. {choosing.winner(answer)} {choosing.per_nat(answer)}"
    ).strip()


def picks_by_length(unit: str, n: int) -> str:
    """What the thirds by length are."""
    return (
        f"Share of the picks of best-of-{n} from the shortest, middle and longest third of a prompt's responses, in "
        f"{unit}. Without any liking for length, about a third each."
    )


def worst_picks(name: str, share: Estimate, chance: float, *, says_right: bool) -> str:
    """How often a favourite is what the golden likes least, or wrong; empty where that is not defined."""
    if share.value is None:
        return ""
    bad = "wrong" if says_right else "what the golden likes least"
    return (
        f"The favourite of **{escape(name)}** among all responses is {bad} on "
        f"{percent(share.value)} of {count(share.replicates, 'prompt')} ({interval(share.low, share.high)} as a share, "
        f"Wilson; a random pick: {percent(chance)})."
    )


def lost(answer: Answer, loss: float) -> str:
    """What a prompt loses."""
    return "wrong instead of right" if answer.worth.unit == "share" else f"{number(loss)} sd of the golden given up"


def given(answer: Answer, truth: float) -> str:
    """What the golden gives a response."""
    if answer.worth.unit == "share":
        return "right" if truth > 0 else "wrong"
    return f"golden {number(truth)} sd"


def at_n(answer: Answer) -> int | None:
    """The n of best-of-n; None if the answer is by something else, or at a KL."""
    if answer.question.by != BEST_OF_N or answer.strength is None:
        return None
    return int(answer.strength)


def bold(sentence: str, name: str) -> str:
    """The sentence with the first mention of what to take in bold."""
    return sentence.replace(f"ake {name}:", f"ake **{name}**:", 1)
