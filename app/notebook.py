"""What the notebook interface (`righttree.py`) returns: studies and results, which print as text and give frames.

Shapes: M reward models, P test prompts, R responses to each, Q prompts on which policies are judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from string import ascii_lowercase

import polars as pl
from polars import selectors

from app.access import frames
from warehouse.claims.verdict import compared
from warehouse.errors import InvalidChoice
from warehouse.schema import INITIAL
from warehouse.study import CORRELATIONS, MEASURES, Comparison, Estimate, Evaluation, PolicyValues, ScoreCube
from warehouse.study.correlation import Correlation, cautions
from warehouse.study.power import DIFFERENCES, POWER, Draws, Resolution
from warehouse.study.together import Adjusted
from warehouse.study.training_noise import seeds


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
    _usual: Mapping[str, float] = field(default_factory=dict)

    def scores(self, source: str | Sequence[str] = INITIAL, *, paraphrase: float = 0.0, seed: int = 0) -> ScoreCube:
        """Scores `[M, P, R]` of the responses of one source or several, with the names of the axes.

        `paraphrase` is the share of prompts to replace by their paraphrases, chosen by `seed`.
        Raises UnknownName for an unknown source, InvalidChoice for a share that the run cannot satisfy.

        >>> open().scores().scores_MPR.shape
        (14, 128, 6)
        """
        return self._scores([source] if isinstance(source, str) else list(source), paraphrase, seed)

    def with_goldens(self, *names: str) -> Study:
        """The same study with these scorers as the truth, such as `label`; without names, those of the study itself.

        Raises UnknownName for an unknown one, InvalidChoice if no reward model is left to be judged.

        >>> evaluate(open().with_goldens("flip-0.00"), replicates=50).evaluation.proxies
        13
        """
        self.scores().with_goldens(names)
        return replace(self, _scores=lambda *choice: self._scores(*choice).with_goldens(names))

    def policies(
        self, optimizer: str = "bon", strength: float | None = None, *, kl: float | None = None
    ) -> PolicyValues:
        """Values of the initial policy `[M golden, Q]` and of the optimised ones `[M golden, M optimised, Q]`.

        `strength` is n of best-of-n or the step of PPO; the default is `usual`. `kl` compares policies at this
        distance in nats from the initial policy instead. Raises InvalidChoice if there are no such policies.

        >>> open().policies("bon", 16).optimised_MMQ.shape
        (14, 14, 200)
        """
        if strength is not None and kl is not None:
            raise InvalidChoice(f"strength is {strength} and kl is {kl}; give one of them")
        return self._policies(optimizer, self.usual(optimizer) if strength is None and kl is None else strength, kl)

    def largest(self, optimizer: str) -> float:
        """The largest strength of an optimiser. Raises InvalidChoice if the study has no policies of it."""
        strengths = self.strengths.filter(optimizer=optimizer)["strength"].to_list()
        if not strengths:
            known = self.strengths["optimizer"].unique().sort().to_list()
            raise InvalidChoice(f"{self.name} has no policies of {optimizer!r}; it has those of {known}")
        return float(max(strengths))

    def usual(self, optimizer: str) -> float:
        """The strength that is taken if none is given: the largest; of best-of-n, one that half of the prompts reach.

        Raises as `largest`.
        """
        return self._usual.get(optimizer, self.largest(optimizer))

    def _in_words(self, optimizer: str, strength: float | None, kl: float | None) -> str:
        if kl is not None:
            return f"{optimizer} at KL {kl:g}"
        return f"{optimizer} at {self.usual(optimizer) if strength is None else strength:g}"

    def __str__(self) -> str:
        by_optimizer = self.strengths.group_by("optimizer", maintain_order=True).agg("strength").iter_rows()
        policies = [f"{name} at {', '.join(f'{n:g}' for n in strengths)}" for name, strengths in by_optimizer]
        return f"{self.name}: {self.reward_models.height} reward models; policies {'; '.join(policies)}"


@dataclass(frozen=True, repr=False, eq=False)
class Result(Printed):
    """How well a measure on a test set predicts NDR. `frame()` has a row for each pair; `scatter` draws it.

    `evaluation` has the matrices `[M golden, M proxy]` and the correlations as numbers. `kendall` is the pooled Kendall
    τ of the measure with NDR: `value`, `low`, `high` on this test set, `measure_itself`, the plain `sample` and its
    `ceiling` beside it. `policies` says which policies were compared.
    """

    study: Study
    evaluation: Evaluation
    policies: str

    @property
    def kendall(self) -> Correlation:
        return self.evaluation.correlations["kendall"]

    def frame(self) -> pl.DataFrame:
        """A row per golden–proxy pair: `golden, proxy, value` (the measure's), `ndr` with its interval, `regret`, …

        Undefined values are null; `defined` marks the pairs that the correlations are computed over.
        """
        return frames.pairs(self.evaluation, self.study.reward_models)

    def correlations(self) -> pl.DataFrame:
        """A row per correlation: `level` (pooled, or within each golden), `correlation`, and what is known of it.

        `value` from `low` to `high` is about this test set; `measure_itself`, the plain `sample` and its `ceiling` have
        ends too. `of_ceiling` is the plain one as a share of its ceiling, `p_value` that of no prediction at all.
        """
        levels = {"pooled": self.evaluation.correlations, "within": self.evaluation.within}
        return _table(
            {"level": level, "correlation": name, **_correlation(correlation)}
            for level, correlations in levels.items()
            for name, correlation in correlations.items()
        )

    def __str__(self) -> str:
        evaluation = self.evaluation
        lines = [f"{MEASURES[evaluation.measure].title} as a predictor of NDR: {self.study.name}, {self.policies}"]
        lines.append(f"  {'':<10}" + "".join(f"{title:<24}" for title in _FIGURES.values()).rstrip())
        for name in CORRELATIONS:
            correlation = evaluation.correlations[name]
            figures = [correlation, *(getattr(correlation, other) for other in _FIGURES if other)]
            lines.append(f"  {name:<10}" + "".join(f"{_text(figure):<24}" for figure in figures).rstrip())
        if self.kendall.of_ceiling is not None:
            lines.append(f"  plain Kendall τ is {self.kendall.of_ceiling:.0%} of its ceiling")
        if self.kendall.p_value is not None:
            lines.append(f"  no prediction at all: p = {self.kendall.p_value:.3f} (permutation test)")
        lines.append(
            f"  {evaluation.proxies} reward models, {evaluation.prompts_used} test prompts, "
            f"{evaluation.rl_prompts_used} policy prompts, {evaluation.undefined_pairs} undefined pairs; 95% intervals "
            f"by Student's t, {evaluation.replicates} replicates"
        )
        return "\n".join([*lines, *self._cautions()])

    def _cautions(self) -> list[str]:
        evaluation = self.evaluation
        lines = cautions(len(evaluation.ndr_MM), evaluation.shared_prompts)
        if evaluation.repeats > 1:
            lines.append(seeds(evaluation.repeats, evaluation.single_repeats))
        return [f"  {line}" for line in lines]


@dataclass(frozen=True, repr=False, eq=False)
class Difference(Printed):
    """Two results and the difference of their plain correlations, first minus second, paired.

    The interval is by Student's t around the difference, from whichever varies it more: leaving out each reward model,
    or drawing prompts again.
    """

    first: Result
    second: Result
    comparison: Comparison

    @property
    def kendall(self) -> Estimate:
        return self.comparison.correlations["kendall"]

    def frame(self) -> pl.DataFrame:
        """A row per correlation: `correlation, first, second, difference, low, high, verdict`, of the plain ones."""
        first, second = (side.evaluation.correlations for side in (self.first, self.second))
        return _table(
            {"correlation": name, "first": first[name].sample.value, "second": second[name].sample.value}
            | {"difference": difference.value, "low": difference.low, "high": difference.high}
            | {"verdict": compared(difference)}
            for name, difference in self.comparison.correlations.items()
        )

    def __str__(self) -> str:
        titles = (MEASURES[side.evaluation.measure].title for side in (self.first, self.second))
        lines = [f"{' minus '.join(titles)}, plain and paired: {self.first.study.name}, {self.first.policies}"]
        for name in CORRELATIONS:
            difference = self.comparison.correlations[name]
            lines.append(f"  {name:<10}{_text(difference)}  {compared(difference)}")
        return "\n".join([*lines, *self.first._cautions()])


@dataclass(frozen=True, repr=False, eq=False)
class Board(Printed):
    """All measures on one test set, each compared with plain accuracy: `frame()` has a row each, the best first.

    `adjusted` has each measure's difference of plain Kendall τ from accuracy's, with an interval that holds for all at
    once and a p-value adjusted for that (Romano–Wolf), and the numbers of its groups, 1 the best: measures that share a
    group cannot be told apart.
    """

    study: Study
    comparisons: Mapping[str, Comparison]
    policies: str
    adjusted: Mapping[str, Adjusted]

    def frame(self) -> pl.DataFrame:
        """Kendall τ with NDR: `measure, title`, what is known of it, its `difference` from accuracy's, and a `verdict`.

        What is known is as in `Result.correlations`. `group` has a letter for each group of the measure;
        `difference_low`, `difference_high` and `p_difference` hold for all measures at once.
        """
        rows = []
        for name, comparison in self.comparisons.items():
            difference, p_value, groups = self.adjusted[name]
            rows.append(
                {"measure": name, "title": MEASURES[name].title}
                | _correlation(comparison.first.correlations["kendall"])
                | {"group": "".join(ascii_lowercase[number - 1] for number in groups) or None}
                | {"difference": difference.value, "difference_low": difference.low}
                | {"difference_high": difference.high, "p_difference": p_value}
                | {"verdict": "plain accuracy" if name == "accuracy" else compared(difference, p_value)}
            )
        return _table(rows, group=pl.String).sort("value", descending=True, nulls_last=True)

    def __str__(self) -> str:
        lines = [f"Kendall τ of each measure with NDR on this test set: {self.study.name}, {self.policies}"]
        for title, name, group, verdict in self.frame().select("title", "measure", "group", "verdict").iter_rows():
            figure = _text(self.comparisons[name].first.correlations["kendall"])
            lines.append(f"  {title:<28}{figure:<24}{group or '':<6}{verdict}")
        lines.append("  a letter in common: cannot be told apart; verdicts hold for all measures at once")
        plain = self.comparisons["accuracy"].first
        ceiling = plain.correlations["kendall"].ceiling
        lines.append(f"  ceiling of every measure's plain Kendall τ: {_text(ceiling).strip()}")
        return "\n".join([*lines, *(f"  {line}" for line in cautions(len(plain.ndr_MM), plain.shared_prompts))])


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


_FIGURES = {"": "this test set", "measure_itself": "the measure itself", "sample": "plain", "ceiling": "ceiling"}
"""What a correlation says: the name of each figure in it, "" its own value, and its title."""


def _table(rows: Iterable[Mapping[str, object]], **schema: type[pl.DataType]) -> pl.DataFrame:
    """Rows as a frame, in which a column that is nowhere defined is one of floats too, unless the schema has it."""
    frame = pl.DataFrame(list(rows), infer_schema_length=None, schema_overrides=schema)
    return frame.with_columns(selectors.by_dtype(pl.Null).cast(pl.Float64))


def _correlation(correlation: Correlation) -> dict[str, float | None]:
    cells = {"value": correlation.value, "low": correlation.low, "high": correlation.high}
    for name in [name for name in _FIGURES if name]:
        figure: Estimate = getattr(correlation, name)
        cells |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return cells | {"of_ceiling": correlation.of_ceiling, "p_value": correlation.p_value}


def _text(estimate: Estimate, digits: int = 2) -> str:
    if estimate.value is None:
        return "undefined"
    value, *ends = (f"{end:.{digits}f}" for end in (estimate.value, estimate.low, estimate.high) if end is not None)
    return f"{value:>{digits + 4}} ({' to '.join(ends)})" if len(ends) == 2 else f"{value:>{digits + 4}}"
