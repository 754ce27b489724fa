"""What the notebook interface (`righttree.py`) returns: studies and results, which print as text and give frames.

Shapes: M reward models, P test prompts, R responses to each, Q prompts on which policies are judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl
from polars import selectors

from app.access import frames
from warehouse.claims.verdict import compared
from warehouse.errors import InvalidChoice
from warehouse.schema import INITIAL
from warehouse.stats.bootstrap import NOTHING
from warehouse.study import CORRELATIONS, MEASURES, Comparison, Estimate, Evaluation, PolicyValues, ScoreCube
from warehouse.study.power import DIFFERENCES, POWER, Draws, Resolution


class Printed:
    """Shown in a notebook as it prints."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, repr=False, eq=False)
class Study(Printed):
    """Reward models' scores of test responses, and the values of policies optimised against each reward model.

    `open` and `from_arrays` return one. `reward_models` has a row for each of the M reward models, `strengths` one for
    each optimiser and strength, `sources` one for each policy whose responses were scored.
    """

    name: str
    reward_models: pl.DataFrame
    strengths: pl.DataFrame
    sources: pl.DataFrame
    _scores: Callable[[Sequence[str], float, int], ScoreCube]
    _policies: Callable[[str, float | None, float | None], PolicyValues]
    _policy_draws: Callable[[str, str, str, float, str | None], Draws]

    def scores(self, source: str | Sequence[str] = INITIAL, *, paraphrase: float = 0.0, seed: int = 0) -> ScoreCube:
        """Scores `[M, P, R]` of the responses of one source or several, with the names of the axes.

        `paraphrase` is the share of prompts to replace by their paraphrases, chosen by `seed`.
        Raises UnknownName for an unknown source, InvalidChoice for a share that the run cannot satisfy.

        >>> open().scores().scores_MPR.shape
        (14, 128, 6)
        """
        return self._scores([source] if isinstance(source, str) else list(source), paraphrase, seed)

    def policies(
        self, optimizer: str = "bon", strength: float | None = None, *, kl: float | None = None
    ) -> PolicyValues:
        """Values of the initial policy `[M golden, Q]` and of the optimised ones `[M golden, M optimised, Q]`.

        `strength` is n of best-of-n or the step of PPO; the default is the largest. `kl` compares policies at this
        distance in nats from the initial policy instead. Raises InvalidChoice if there are no such policies.

        >>> open().policies("bon", 16).optimised_MMQ.shape
        (14, 14, 200)
        """
        if strength is not None and kl is not None:
            raise InvalidChoice(f"strength is {strength} and kl is {kl}; give one of them")
        return self._policies(optimizer, self.largest(optimizer) if strength is None and kl is None else strength, kl)

    def largest(self, optimizer: str) -> float:
        """The largest strength of an optimiser. Raises InvalidChoice if the study has no policies of it."""
        strengths = self.strengths.filter(optimizer=optimizer)["strength"].to_list()
        if not strengths:
            known = self.strengths["optimizer"].unique().sort().to_list()
            raise InvalidChoice(f"{self.name} has no policies of {optimizer!r}; it has those of {known}")
        return float(max(strengths))

    def _in_words(self, optimizer: str, strength: float | None, kl: float | None) -> str:
        if kl is not None:
            return f"{optimizer} at KL {kl:g}"
        return f"{optimizer} at {self.largest(optimizer) if strength is None else strength:g}"

    def __str__(self) -> str:
        by_optimizer = self.strengths.group_by("optimizer", maintain_order=True).agg("strength").iter_rows()
        policies = [f"{name} at {', '.join(f'{n:g}' for n in strengths)}" for name, strengths in by_optimizer]
        return f"{self.name}: {self.reward_models.height} reward models; policies {'; '.join(policies)}"


@dataclass(frozen=True, repr=False, eq=False)
class Result(Printed):
    """How well a measure on a test set predicts NDR. `frame()` has a row for each pair; `scatter` draws it.

    `evaluation` has the matrices `[M golden, M proxy]` and the correlations as numbers. `kendall` is the pooled Kendall
    τ of the measure with NDR, an `Estimate` with `value`, `low`, `high`. `policies` says which policies were compared.
    """

    study: Study
    evaluation: Evaluation
    policies: str

    @property
    def kendall(self) -> Estimate:
        return self.evaluation.correlations["kendall"]

    def frame(self) -> pl.DataFrame:
        """A row per golden–proxy pair: `golden, proxy, value` (the measure's), `ndr` with its interval, `regret`, …

        Undefined values are null; `defined` marks the pairs that the correlations are computed over.
        """
        return frames.pairs(self.evaluation, self.study.reward_models)

    def correlations(self) -> pl.DataFrame:
        """A row per correlation: `level` (pooled, or within each golden), `correlation, value, low, high`."""
        levels = {"pooled": self.evaluation.correlations, "within": self.evaluation.within}
        return _table(
            {"level": level, "correlation": name, **_figures(estimate)}
            for level, correlations in levels.items()
            for name, estimate in correlations.items()
        )

    def __str__(self) -> str:
        evaluation = self.evaluation
        lines = [f"{MEASURES[evaluation.measure].title} as a predictor of NDR: {self.study.name}, {self.policies}"]
        lines += [f"  {name:<10}{_text(evaluation.correlations[name])}" for name in CORRELATIONS]
        lines.append(
            f"  {self.study.reward_models.height} reward models, {evaluation.prompts_used} test prompts, "
            f"{evaluation.rl_prompts_used} policy prompts, {evaluation.undefined_pairs} undefined pairs; 95% intervals "
            f"of {evaluation.replicates} replicates, resampled: {evaluation.resampled}"
        )
        return "\n".join(lines)


@dataclass(frozen=True, repr=False, eq=False)
class Difference(Printed):
    """Two results and the difference of their correlations, first minus second, by the paired bootstrap."""

    first: Result
    second: Result
    comparison: Comparison

    @property
    def kendall(self) -> Estimate:
        return self.comparison.correlations["kendall"]

    def frame(self) -> pl.DataFrame:
        """A row per correlation: `correlation, first, second, difference, low, high, verdict`."""
        first, second = (side.evaluation.correlations for side in (self.first, self.second))
        return _table(
            {"correlation": name, "first": first[name].value, "second": second[name].value}
            | {"difference": difference.value, "low": difference.low, "high": difference.high}
            | {"verdict": compared(difference)}
            for name, difference in self.comparison.correlations.items()
        )

    def __str__(self) -> str:
        titles = (MEASURES[side.evaluation.measure].title for side in (self.first, self.second))
        lines = [f"{' minus '.join(titles)}: {self.first.study.name}, {self.first.policies}"]
        for name in CORRELATIONS:
            difference = self.comparison.correlations[name]
            lines.append(f"  {name:<10}{_text(difference)}  {compared(difference)}")
        return "\n".join(lines)


@dataclass(frozen=True, repr=False, eq=False)
class Board(Printed):
    """All measures on one test set, each compared with plain accuracy: `frame()` has a row each, the best first."""

    study: Study
    comparisons: Mapping[str, Comparison]
    policies: str

    def frame(self) -> pl.DataFrame:
        """Kendall τ with NDR: `measure, title, value, low, high`, its `difference` from accuracy's, and a `verdict`."""
        rows = []
        for name, comparison in self.comparisons.items():
            own, difference = comparison.first.correlations["kendall"], comparison.correlations["kendall"]
            verdict: str = compared(difference)
            if name == "accuracy":
                difference, verdict = NOTHING, "plain accuracy"
            rows.append(
                {"measure": name, "title": MEASURES[name].title, **_figures(own), "difference": difference.value}
                | {"difference_low": difference.low, "difference_high": difference.high, "verdict": verdict}
            )
        return _table(rows).sort("value", descending=True, nulls_last=True)

    def __str__(self) -> str:
        lines = [f"Kendall τ of each measure with NDR: {self.study.name}, {self.policies}"]
        for title, name, verdict in self.frame().select("title", "measure", "verdict").iter_rows():
            lines.append(f"  {title:<28}{_text(self.comparisons[name].first.correlations['kendall'])}  {verdict}")
        return "\n".join(lines)


@dataclass(frozen=True, repr=False, eq=False)
class Power(Printed):
    """How well two reward models can be told apart, first minus second: in a measure, and in what their policies lose.

    `in_measure` and `in_policies` are a `Resolution` each: `difference` with its interval, `detectable(power)`, the
    smallest difference that shows now, and `prompts_for(difference, power, responses)`.
    """

    study: Study
    first: str
    second: str
    measure: str
    policies: str
    in_measure: Resolution
    in_policies: Resolution

    def frame(self, differences: Sequence[float] = DIFFERENCES, power: float = POWER) -> pl.DataFrame:
        """Prompts that show these differences: `figure, responses, difference, prompts`; null where it is unknown."""
        rows = [
            {"figure": title, **need._asdict()}
            for title, result in self._titled().items()
            for need in result.needed(differences, power)
        ]
        return pl.DataFrame(rows, infer_schema_length=None).cast({"prompts": pl.Int64})

    def _titled(self) -> dict[str, Resolution]:
        return {MEASURES[self.measure].title: self.in_measure, f"NDR, {self.policies}": self.in_policies}

    def __str__(self) -> str:
        lines = [f"{self.first} minus {self.second}: {self.study.name}"]
        for title, result in self._titled().items():
            least = result.detectable()
            shows = "they are equal on all prompts" if least is None else f"the smallest that shows now is {least:.3f}"
            figures = _text(result.difference, digits=3)
            lines.append(f"  {title:<20}{figures}, {result.prompts} prompts × {result.responses}; {shows}")
        return "\n".join(lines)


def _table(rows: Iterable[Mapping[str, object]]) -> pl.DataFrame:
    """Rows as a frame, in which a column that is nowhere defined is one of floats too."""
    return pl.DataFrame(list(rows), infer_schema_length=None).with_columns(selectors.by_dtype(pl.Null).cast(pl.Float64))


def _figures(estimate: Estimate) -> dict[str, float | None]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _text(estimate: Estimate, digits: int = 2) -> str:
    if estimate.value is None:
        return "undefined"
    value, *ends = (f"{end:.{digits}f}" for end in (estimate.value, estimate.low, estimate.high) if end is not None)
    return f"{value:>{digits + 4}} ({' to '.join(ends)})" if len(ends) == 2 else f"{value:>{digits + 4}}"
