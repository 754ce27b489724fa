"""The notebook interface: from a data folder, or from arrays of your own, to a figure with its interval.

    import righttree as rt

    study = rt.open()  # the newest run in your data folder; the recorded run if there is none
    rt.evaluate(study, "accuracy")  # how well accuracy predicts what the optimised policies lose

Every name in `__all__` is public: a test keeps the names and their arguments. Results print as text, give their rows as
a Polars frame, and are drawn by the chart functions. Shapes: M reward models, P test prompts, R responses to each,
Q prompts on which policies are judged, N samples of each (docs/method.md has the formulas).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import altair as alt
import numpy as np
import polars as pl
from numpy.typing import ArrayLike

import warehouse
from app.access import frames
from app.charts.leaderboard import leaderboard as leaderboard_chart
from app.charts.pairs import matrix as matrix_chart
from app.charts.pairs import scatter as scatter_chart
from warehouse import exchange, ingest, reads, store
from warehouse.claims.verdict import compared
from warehouse.errors import InvalidChoice, UnknownName, WarehouseError
from warehouse.metrics.cube import best_of_n_policies, score_cube
from warehouse.reads.values import policy_values_at_kl
from warehouse.study import (
    CORRELATIONS,
    MEASURES,
    Comparison,
    Estimate,
    Evaluation,
    PolicyValues,
    ScoreCube,
    TestSet,
    compare_all,
)
from warehouse.study import compare as compare_arrays
from warehouse.study import evaluate as evaluate_arrays

__all__ = [
    "MEASURES",
    "Board",
    "Difference",
    "Result",
    "Study",
    "TestSet",
    "WarehouseError",
    "compare",
    "evaluate",
    "evaluate_all",
    "from_arrays",
    "leaderboard",
    "matrix",
    "open",
    "scatter",
]

_WIDTH = 480
_SOURCE = "initial"
_RECORDED = Path(warehouse.__file__).parent / "recorded"


# Studies: what to evaluate on -----------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False, eq=False)
class Study:
    """Reward models' scores of test responses, and what policies optimised against each reward model are worth.

    `open` and `from_arrays` make one. `reward_models` has a row for each of the M reward models, `strengths` one for
    each optimiser and strength that policies have, `sources` one for each policy whose responses were scored.
    """

    name: str
    reward_models: pl.DataFrame
    strengths: pl.DataFrame
    sources: pl.DataFrame
    _scores: Callable[[Sequence[str], float, int], ScoreCube]
    _policies: Callable[[str, float | None, float | None], PolicyValues]

    def scores(self, source: str | Sequence[str] = _SOURCE, *, paraphrase: float = 0.0, seed: int = 0) -> ScoreCube:
        """Scores `[M, P, R]` of one source's responses or of several sources', with the names of the axes.

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
        distance in nats from the initial policy instead. Raises InvalidChoice where there are no such policies.

        >>> open().policies("bon", 16).optimised_MMQ.shape
        (14, 14, 200)
        """
        if strength is not None and kl is not None:
            raise InvalidChoice(f"strength is {strength} and kl is {kl}; give one of them")
        if kl is None and strength is None:
            strength = self.largest(optimizer)
        return self._policies(optimizer, strength, kl)

    def largest(self, optimizer: str) -> float:
        """The largest strength of an optimizer. Raises InvalidChoice if there are no policies of it.

        >>> open().largest("bon")
        32.0
        """
        strengths = self.strengths.filter(optimizer=optimizer)["strength"].to_list()
        if not strengths:
            known = self.strengths["optimizer"].unique().sort().to_list()
            raise InvalidChoice(f"{self.name} has no policies of {optimizer!r}; it has those of {known}")
        return float(max(strengths))

    def __str__(self) -> str:
        found = self.strengths.group_by("optimizer", maintain_order=True).agg("strength")
        policies = [f"{name} at {', '.join(f'{n:g}' for n in strengths)}" for name, strengths in found.iter_rows()]
        return f"{self.name}: {self.reward_models.height} reward models; policies {'; '.join(policies)}"

    __repr__ = __str__


def open(where: str | Path | None = None, run: str | None = None) -> Study:  # noqa: A001
    """Open a run (default: the newest) of a data folder or a warehouse file (default: `RIGHTTREE_HOME`, else `./data`).

    If nothing is published in the default folder, this opens the recorded run that comes with righttree.
    Raises WarehouseError (NoWarehouse, UnknownName) for a folder or run that does not exist.

    >>> open("data", run="quick-20261128-1")
    """
    path = store.home() if where is None else Path(where).absolute()
    temporary = None
    if where is None and store.build_id(path) is None:
        temporary = tempfile.TemporaryDirectory(prefix="righttree-")
        path = Path(temporary.name)
        ingest.publish(path, exchange.read_folder(_RECORDED, None)[1], "the recorded run")
    is_file = path.is_file()
    connection = store.open_read_only(path.parent if is_file else path, path.name if is_file else None)
    if temporary is not None:
        temporary.cleanup()  # the open connection keeps the file
    run_id = run or reads.runs.newest_run(connection)
    if run_id is None:
        raise UnknownName(f"{path} has no run yet; import one or start one with `righttree run --profile quick`")

    def scores(sources: Sequence[str], paraphrase: float, seed: int) -> ScoreCube:
        return reads.scores.score_cube(connection, run_id, sources, paraphrase, seed)

    def policies(optimizer: str, strength: float | None, kl: float | None) -> PolicyValues:
        if kl is not None:
            return policy_values_at_kl(connection, run_id, optimizer, kl)
        assert strength is not None  # `Study.policies` fills it in
        return reads.values.policy_values(connection, run_id, optimizer, strength)

    return Study(
        name=run_id,
        reward_models=reads.runs.reward_models(connection, run_id),
        strengths=reads.policies.strengths(connection, run_id),
        sources=reads.scores.sources(connection, run_id),
        _scores=scores,
        _policies=policies,
    )


def from_arrays(
    scores_MPR: ArrayLike,
    samples_MQN: ArrayLike,
    *,
    reward_models: Sequence[str] | None = None,
    flip_rates: Sequence[float] | None = None,
    categories: Sequence[str] | None = None,
    sample_categories: Sequence[str] | None = None,
) -> Study:
    """A study of your own arrays: scores of R responses to P test prompts, and of N samples for Q other prompts.

    Best-of-n draws from the samples; its n goes up to N. `flip_rates` (share of wrong training labels, for colours) has
    one entry for each reward model, `categories` one for each of the P prompts, `sample_categories` for each of the Q.
    Raises InvalidChoice for values that are not finite or names that do not fit.

    >>> rng = np.random.default_rng(0)
    >>> from_arrays(rng.normal(size=(4, 50, 5)), rng.normal(size=(4, 50, 16)))
    your arrays: 4 reward models; policies bon at 1, 2, 4, 8, 16
    """
    cube = score_cube(scores_MPR, reward_models=reward_models, categories=categories)
    samples = np.asarray(samples_MQN, dtype=np.float64)
    if samples.ndim != 3 or len(samples) != len(cube.reward_models):
        raise InvalidChoice(
            f"samples have shape {samples.shape}; they need three axes, the first of {len(cube.reward_models)} reward "
            "models as in the scores"
        )
    if flip_rates is not None and len(flip_rates) != len(cube.reward_models):
        raise InvalidChoice(f"{len(flip_rates)} flip_rates for {len(cube.reward_models)} reward models; give one each")
    N = samples.shape[2]
    powers = sorted({*(2**k for k in range(N.bit_length()) if 2**k <= N), N})

    def scores(sources: Sequence[str], paraphrase: float, seed: int) -> ScoreCube:
        if list(sources) != [_SOURCE] or paraphrase:
            raise InvalidChoice("your arrays have one source, 'initial', and no paraphrases; make a study of each")
        return cube

    def policies(optimizer: str, strength: float | None, kl: float | None) -> PolicyValues:
        if optimizer != "bon" or strength is None or strength != int(strength):
            raise InvalidChoice(
                "policies of your arrays are best-of-n: use optimizer='bon' and a whole number as strength"
            )
        return best_of_n_policies(
            samples, int(strength), reward_models=cube.reward_models, categories=sample_categories
        )

    rates = pl.Series("flip_rate", flip_rates if flip_rates is not None else [None] * len(samples), dtype=pl.Float64)
    return Study(
        name="your arrays",
        reward_models=pl.DataFrame({"reward_model_id": cube.reward_models, "flip_rate": rates}),
        strengths=pl.DataFrame(
            {"optimizer": ["bon"] * len(powers), "strength": [float(n) for n in powers], "policies": len(samples)}
        ),
        sources=pl.DataFrame({"source": [_SOURCE], "responses": [cube.scores_MPR.shape[2]]}),
        _scores=scores,
        _policies=policies,
    )


# Evaluating and comparing ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """How well a measure on a test set predicts NDR: prints as text; `frame()` are its pairs; `scatter` draws it.

    `evaluation` has the matrices `[M golden, M proxy]` and the correlations as numbers. `kendall` is the pooled Kendall
    τ of the measure with NDR, an `Estimate` with `value`, `low`, `high`.
    """

    study: Study
    evaluation: Evaluation
    policies: str

    @property
    def kendall(self) -> Estimate:
        return self.evaluation.correlations["kendall"]

    def frame(self) -> pl.DataFrame:
        """A row per golden–proxy pair: `golden, proxy, value` (the measure's), `ndr` with its interval, `regret`, …

        Undefined figures are null; `defined` marks the pairs that the correlations are taken over.
        """
        return frames.pairs(self.evaluation, self.study.reward_models)

    def correlations(self) -> pl.DataFrame:
        """A row per correlation: `level` (pooled, or within each golden), `correlation, value, low, high`."""
        sides = (("pooled", self.evaluation.correlations), ("within", self.evaluation.within))
        rows = [(level, name, *_figures(side[name])) for level, side in sides for name in side]
        schema = {"level": pl.String, "correlation": pl.String} | dict.fromkeys(("value", "low", "high"), pl.Float64)
        return pl.DataFrame(rows, schema=schema, orient="row")

    def __str__(self) -> str:
        found = self.evaluation
        lines = [f"{_title(found.measure)} as a predictor of NDR: {self.study.name}, {self.policies}"]
        lines += [f"  {name:<10}{_text(found.correlations[name])}" for name in CORRELATIONS]
        lines.append(
            f"  {self.study.reward_models.height} reward models, {found.prompts_used} test prompts, "
            f"{found.rl_prompts_used} policy prompts, {found.undefined_pairs} undefined pairs; 95% intervals of "
            f"{found.replicates} replicates, resampled: {found.resampled}"
        )
        return "\n".join(lines)

    __repr__ = __str__


@dataclass(frozen=True, repr=False, eq=False)
class Difference:
    """Two results and the difference of their correlations, first minus second, by the paired bootstrap."""

    first: Result
    second: Result
    comparison: Comparison

    @property
    def kendall(self) -> Estimate:
        return self.comparison.correlations["kendall"]

    def frame(self) -> pl.DataFrame:
        """A row per correlation: `correlation, first, second, difference, low, high, verdict`."""
        rows = []
        for name, difference in self.comparison.correlations.items():
            sides = (side.evaluation.correlations[name].value for side in (self.first, self.second))
            rows.append((name, *sides, *_figures(difference), compared(difference)))
        floats = dict.fromkeys(("first", "second", "difference", "low", "high"), pl.Float64)
        schema = {"correlation": pl.String, **floats, "verdict": pl.String}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def __str__(self) -> str:
        first, second = (_title(side.evaluation.measure) for side in (self.first, self.second))
        lines = [f"{first} minus {second}: {self.first.study.name}, {self.first.policies}"]
        found = self.comparison.correlations
        lines += [f"  {name:<10}{_text(found[name])}  {compared(found[name])}" for name in CORRELATIONS]
        return "\n".join(lines)

    __repr__ = __str__


@dataclass(frozen=True, repr=False, eq=False)
class Board:
    """All measures on one test set, each compared with plain accuracy: `frame()` has a row each, the best first."""

    study: Study
    comparisons: dict[str, Comparison]
    policies: str

    def frame(self) -> pl.DataFrame:
        """Kendall τ with NDR: `measure, title, value, low, high`, its `difference` from accuracy's, and a `verdict`."""
        rows = []
        for name, comparison in self.comparisons.items():
            own, difference = comparison.first.correlations["kendall"], comparison.correlations["kendall"]
            plain = name == "accuracy"
            apart = (None, None, None, "plain accuracy") if plain else (*_figures(difference), compared(difference))
            rows.append((name, _title(name), *_figures(own), *apart))
        figures = ("value", "low", "high", "difference", "difference_low", "difference_high")
        schema = {"measure": pl.String, "title": pl.String, **dict.fromkeys(figures, pl.Float64), "verdict": pl.String}
        return pl.DataFrame(rows, schema=schema, orient="row").sort("value", descending=True, nulls_last=True)

    def __str__(self) -> str:
        lines = [f"Kendall τ of each measure with NDR: {self.study.name}, {self.policies}"]
        for row in self.frame().iter_rows(named=True):
            own = _text(Estimate(row["value"], row["low"], row["high"], 0))
            lines.append(f"  {row['title']:<28}{own}  {row['verdict']}")
        return "\n".join(lines)

    __repr__ = __str__


def evaluate(
    study: Study,
    measure: str = "accuracy",
    test_set: TestSet | None = None,
    *,
    optimizer: str = "bon",
    strength: float | None = None,
    kl: float | None = None,
    source: str | Sequence[str] = _SOURCE,
    paraphrase: float = 0.0,
    rl_categories: Sequence[str] | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Result:
    """Measure every proxy on a test set and correlate that with how much the policy optimised against it loses (NDR).

    `optimizer`, `strength` and `kl` choose the policies as in `Study.policies`, `source` and `paraphrase` the responses
    as in `Study.scores`; `rl_categories` keeps to some categories of the prompts on which policies are judged. `seed`
    is that of the bootstrap and of the paraphrased prompts. Raises UnknownName and InvalidChoice for choices that the
    study cannot satisfy.

    >>> evaluate(open(), "spearman", TestSet(categories=("Safety",), noise=0.2), optimizer="ppo")
    """
    found = evaluate_arrays(
        study.scores(source, paraphrase=paraphrase, seed=seed),
        study.policies(optimizer, strength, kl=kl),
        measure=measure,
        test_set=test_set,
        rl_categories=_tuple(rl_categories),
        replicates=replicates,
        seed=seed,
    )
    return Result(study, found, _called(study, optimizer, strength, kl))


def compare(
    study: Study,
    first: str,
    second: str = "accuracy",
    test_set: TestSet | None = None,
    *,
    second_test_set: TestSet | None = None,
    optimizer: str = "bon",
    strength: float | None = None,
    kl: float | None = None,
    source: str | Sequence[str] = _SOURCE,
    paraphrase: float = 0.0,
    rl_categories: Sequence[str] | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Difference:
    """Does one measure predict NDR better than another, or one test set better than `second_test_set`?

    Both are evaluated on the same bootstrap draws, so the interval of the difference is narrower than those of the two
    figures suggest. The other arguments and what is raised are as in `evaluate`.

    >>> compare(open(), "ndcg", "accuracy")
    """
    found = compare_arrays(
        study.scores(source, paraphrase=paraphrase, seed=seed),
        study.policies(optimizer, strength, kl=kl),
        first,
        second,
        test_set=test_set,
        second_test_set=second_test_set,
        rl_categories=_tuple(rl_categories),
        replicates=replicates,
        seed=seed,
    )
    policies = _called(study, optimizer, strength, kl)
    return Difference(Result(study, found.first, policies), Result(study, found.second, policies), found)


def evaluate_all(
    study: Study,
    test_set: TestSet | None = None,
    *,
    optimizer: str = "bon",
    strength: float | None = None,
    kl: float | None = None,
    source: str | Sequence[str] = _SOURCE,
    paraphrase: float = 0.0,
    rl_categories: Sequence[str] | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Board:
    """Evaluate all measures on one test set and compare each with plain accuracy; arguments as in `evaluate`.

    >>> evaluate_all(open(), TestSet(responses=5)).frame()
    """
    (found,) = compare_all(
        study.scores(source, paraphrase=paraphrase, seed=seed),
        study.policies(optimizer, strength, kl=kl),
        "accuracy",
        test_sets=(test_set or TestSet(),),
        rl_categories=_tuple(rl_categories),
        replicates=replicates,
        seed=seed,
    )
    return Board(study, found, _called(study, optimizer, strength, kl))


# Charts ---------------------------------------------------------------------------------------------------------------


def scatter(result: Result) -> alt.LayerChart:
    """Draw the measure against NDR, a point for each golden–proxy pair.

    >>> scatter(evaluate(open()))
    """
    pairs = frames.marked(frames.defined(_pairs(result)), None, None)
    return _sized(scatter_chart(pairs, MEASURES[result.evaluation.measure]))


def matrix(result: Result, figure: str = "ndr") -> alt.LayerChart:
    """Draw `"ndr"` or the measure's `"value"` of all golden–proxy pairs as a heat map. Raises InvalidChoice for others.

    >>> matrix(evaluate(open()), "value")
    """
    if figure not in ("ndr", "value"):
        raise InvalidChoice(f"figure is {figure!r}; choose 'ndr' or 'value'")
    pairs = frames.marked(_pairs(result), None, None)
    return _sized(matrix_chart(pairs, figure, MEASURES[result.evaluation.measure]))


def leaderboard(board: Board, figure: str = "value") -> alt.LayerChart:
    """Draw each measure's Kendall τ (`"value"`) or its `"difference"` from accuracy's. Raises InvalidChoice for others.

    >>> leaderboard(evaluate_all(open()))
    """
    titles = {"value": "Kendall τ with NDR", "difference": "Kendall τ minus that of accuracy"}
    if figure not in titles:
        raise InvalidChoice(f"figure is {figure!r}; choose one of {[*titles]}")
    rows = board.frame()
    policies = pl.lit(board.policies).alias("policies")
    return _sized(leaderboard_chart(rows.with_columns(policies), rows["title"].to_list(), figure, titles[figure]))


def _pairs(result: Result) -> pl.DataFrame:
    return frames.pairs(result.evaluation, result.study.reward_models)


def _sized(chart: alt.LayerChart) -> alt.LayerChart:
    chart.width = _WIDTH
    return chart


def _title(measure: str) -> str:
    return MEASURES[measure].title


def _called(study: Study, optimizer: str, strength: float | None, kl: float | None) -> str:
    if kl is not None:
        return f"{optimizer} at KL {kl:g}"
    return f"{optimizer} at {study.largest(optimizer) if strength is None else strength:g}"


def _tuple(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def _figures(estimate: Estimate) -> tuple[float | None, float | None, float | None]:
    return estimate.value, estimate.low, estimate.high


def _text(estimate: Estimate) -> str:
    if estimate.value is None:
        return "undefined"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:6.2f}"
    return f"{estimate.value:6.2f} ({estimate.low:.2f} to {estimate.high:.2f})"
