"""The notebook interface: from a data folder, or from arrays of your own, to a figure with its interval.

    import righttree as rt

    study = rt.open()  # the pinned run of your data folder, else the recorded one
    rt.evaluate(study, "accuracy")  # how well accuracy predicts what the optimised policies lose

Every name in `__all__` is public: a test keeps the names and their arguments. Results print as text, give their rows as
a Polars frame, and are drawn by the chart functions. Shapes: M reward models, P test prompts, R responses to each,
Q prompts on which policies are judged, N samples of each (docs/method.md has the formulas).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
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
from app.notebook import Board, Difference, Power, Result, Study
from warehouse import exchange, ingest, reads, store
from warehouse.errors import InvalidChoice, UnknownName, WarehouseError
from warehouse.metrics.cube import best_of_n_policies, score_cube
from warehouse.reads.two_models import policy_draws
from warehouse.schema import INITIAL
from warehouse.study import MEASURES, PolicyValues, ScoreCube, TestSet
from warehouse.study import compare as compare_arrays
from warehouse.study import evaluate as evaluate_arrays
from warehouse.study.comparison import replicated_on_all
from warehouse.study.power import Draws, resolution
from warehouse.study.together import boards
from warehouse.study.two_models import best_of_n_draws, measure_draws, strength_to_compare

__all__ = ["MEASURES", "Board", "Difference", "Power", "Result", "Study", "TestSet", "WarehouseError"]
__all__ += ["compare", "evaluate", "evaluate_all", "from_arrays", "leaderboard", "matrix", "open", "power", "scatter"]

_WIDTH = 480
_RECORDED = Path(warehouse.__file__).parent / "recorded"


def open(where: str | Path | None = None, run: str | None = None) -> Study:  # noqa: A001
    """Open a run of a data folder (default: `RIGHTTREE_HOME`, else `./data`) or a warehouse file.

    The default is the pinned run, else the recorded one, else the one that finished last and is no smoke run. If
    nothing is published in the default folder, this opens the recorded run that comes with righttree.
    Raises a WarehouseError (NoWarehouse, UnknownName) for a folder or run that does not exist.

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
    run_id = run or reads.runs.default_run(connection)
    if run_id is None:
        raise UnknownName(f"{path} has no run yet; import one or start one with `righttree run --profile quick`")

    def scores(sources: Sequence[str], paraphrase: float, seed: int) -> ScoreCube:
        return reads.scores.score_cube(connection, run_id, sources, paraphrase, seed)

    def policies(optimizer: str, strength: float | None, kl: float | None) -> PolicyValues:
        if kl is not None:
            return reads.values.policy_values_at_kl(connection, run_id, optimizer, kl)
        assert strength is not None  # `Study.policies` fills it in
        return reads.values.policy_values(connection, run_id, optimizer, strength)

    def draws(first: str, second: str, optimizer: str, strength: float, golden: str | None) -> Draws:
        read = partial(policy_draws, connection, run_id, first, second)
        return read(optimizer=optimizer, strength=strength, golden=golden)

    strengths = reads.policies.strengths(connection, run_id)
    names = strengths["optimizer"].unique().to_list()
    return Study(
        name=run_id,
        reward_models=reads.runs.reward_models(connection, run_id),
        strengths=strengths,
        _usual={name: reads.policies.usual_strength(connection, run_id, name) for name in names},
        sources=reads.scores.sources(connection, run_id),
        _scores=scores,
        _policies=policies,
        _policy_draws=draws,
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
    names, M = cube.reward_models, len(cube.reward_models)
    if samples.ndim != 3 or len(samples) != M:
        needed = f"three axes, the first of {M} reward models as in the scores"
        raise InvalidChoice(f"samples have shape {samples.shape}; they need {needed}")
    if flip_rates is not None and len(flip_rates) != M:
        raise InvalidChoice(f"{len(flip_rates)} flip_rates for {M} reward models; give one each")
    N = samples.shape[2]
    strengths = sorted({*(2**k for k in range(N.bit_length()) if 2**k <= N), N})

    def scores(sources: Sequence[str], paraphrase: float, seed: int) -> ScoreCube:
        if list(sources) != [INITIAL] or paraphrase:
            raise InvalidChoice("your arrays have one source, 'initial', and no paraphrases; make a study of each")
        return cube

    def policies(optimizer: str, strength: float | None, kl: float | None) -> PolicyValues:
        if optimizer != "bon" or strength is None or strength != int(strength):
            raise InvalidChoice("your arrays have best-of-n only: use optimizer='bon' and a whole number as strength")
        return best_of_n_policies(samples, int(strength), reward_models=names, categories=sample_categories)

    def draws(first: str, second: str, optimizer: str, strength: float, golden: str | None) -> Draws:
        values = policies(optimizer, strength, kl=None)
        return best_of_n_draws(values, samples, first, second, n=int(strength), golden=golden)

    rates = pl.Series("flip_rate", flip_rates if flip_rates is not None else [None] * M, dtype=pl.Float64)
    return Study(
        name="your arrays",
        reward_models=pl.DataFrame({"reward_model_id": names, "flip_rate": rates}),
        strengths=pl.DataFrame({"optimizer": "bon", "strength": np.array(strengths, dtype=np.float64), "policies": M}),
        sources=pl.DataFrame({"source": [INITIAL], "responses": [cube.scores_MPR.shape[2]]}),
        _scores=scores,
        _policies=policies,
        _policy_draws=draws,
    )


def evaluate(
    study: Study,
    measure: str = "accuracy",
    test_set: TestSet | None = None,
    *,
    optimizer: str = "bon",
    strength: float | None = None,
    kl: float | None = None,
    source: str | Sequence[str] = INITIAL,
    paraphrase: float = 0.0,
    rl_categories: Sequence[str] | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Result:
    """Measure every proxy on a test set and correlate that with how much the policy optimised against it loses (NDR).

    `optimizer`, `strength` and `kl` choose the policies as in `Study.policies`, `source` and `paraphrase` the responses
    as in `Study.scores`, `rl_categories` the prompts on which policies are judged; `seed` is for resampling and the
    paraphrases. Raises UnknownName and InvalidChoice for choices that the study cannot satisfy.

    >>> evaluate(open(), "spearman", TestSet(categories=("Safety",), noise=0.2), optimizer="ppo")
    """
    cube, values = study.scores(source, paraphrase=paraphrase, seed=seed), study.policies(optimizer, strength, kl=kl)
    within = None if rl_categories is None else tuple(rl_categories)
    evaluation = evaluate_arrays(
        cube, values, measure=measure, test_set=test_set, rl_categories=within, replicates=replicates, seed=seed
    )
    return Result(study, evaluation, study._in_words(optimizer, strength, kl))


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
    source: str | Sequence[str] = INITIAL,
    paraphrase: float = 0.0,
    rl_categories: Sequence[str] | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Difference:
    """Does one measure predict NDR better than another, or one test set better than `second_test_set`?

    The difference is that of the plain correlations, paired: both change alike with the reward models and prompts, so
    its interval is narrower than those of the two figures suggest. The other arguments and what is raised are as in
    `evaluate`.

    >>> compare(open(), "ndcg", "accuracy")
    """
    comparison = compare_arrays(
        study.scores(source, paraphrase=paraphrase, seed=seed),
        study.policies(optimizer, strength, kl=kl),
        first,
        second,
        test_set=test_set,
        second_test_set=second_test_set,
        rl_categories=None if rl_categories is None else tuple(rl_categories),
        replicates=replicates,
        seed=seed,
    )
    policies = study._in_words(optimizer, strength, kl)
    return Difference(Result(study, comparison.first, policies), Result(study, comparison.second, policies), comparison)


def power(
    study: Study,
    first: str,
    second: str,
    *,
    measure: str = "accuracy",
    golden: str | None = None,
    optimizer: str = "bon",
    strength: float | None = None,
    seed: int = 0,
) -> Power:
    """How many prompts and responses tell two reward models apart, in a measure and in what their policies lose (NDR)?

    Averaged over all others as golden, or for one `golden`. `strength` is by default the largest; for best-of-n the
    largest with twice as many samples. `seed` chooses subsets of the responses. Raises UnknownName and InvalidChoice.

    >>> power(open(), "flip-0.00", "flip-0.05").frame(differences=[0.02])
    """
    study.largest(optimizer)  # raises where there are no policies
    known = study.strengths.filter(optimizer=optimizer)["strength"].to_list()
    at = strength_to_compare(optimizer, known) if strength is None else strength
    in_measure = measure_draws(study.scores(), first, second, measure=measure, golden=golden)
    in_policies = study._policy_draws(first, second, optimizer, at, golden)
    return Power(
        study=study,
        first=first,
        second=second,
        measure=measure,
        policies=study._in_words(optimizer, at, kl=None),
        in_measure=resolution(in_measure, seed),
        in_policies=resolution(in_policies, seed),
    )


def evaluate_all(
    study: Study,
    test_set: TestSet | None = None,
    *,
    optimizer: str = "bon",
    strength: float | None = None,
    kl: float | None = None,
    source: str | Sequence[str] = INITIAL,
    paraphrase: float = 0.0,
    rl_categories: Sequence[str] | None = None,
    replicates: int = 1000,
    seed: int = 0,
) -> Board:
    """Evaluate all measures on one test set and compare each with plain accuracy; arguments as in `evaluate`.

    Differences from accuracy have intervals and p-values that hold for all measures at once; measures that cannot be
    told apart share a group.

    >>> evaluate_all(open(), TestSet(responses=5)).frame()
    """
    cube, values = study.scores(source, paraphrase=paraphrase, seed=seed), study.policies(optimizer, strength, kl=kl)
    on_each = replicated_on_all(
        cube,
        values,
        test_sets=(test_set or TestSet(),),
        rl_categories=None if rl_categories is None else tuple(rl_categories),
        replicates=replicates,
        seed=seed,
    )
    kendall = ("kendall", "pooled")
    (compared,) = boards(on_each, "accuracy", selected=(kendall,), seed=seed)
    policies = study._in_words(optimizer, strength, kl)
    return Board(study, compared.comparisons, policies, compared.adjusted[kendall])


def scatter(result: Result) -> alt.LayerChart:
    """Draw the measure against NDR, a point for each golden–proxy pair.

    >>> scatter(evaluate(open()))
    """
    pairs = frames.marked(frames.defined(result.frame()), golden=None, proxy=None)
    return scatter_chart(pairs, MEASURES[result.evaluation.measure]).properties(width=_WIDTH)


def matrix(result: Result, figure: str = "ndr") -> alt.LayerChart:
    """Draw `"ndr"` or the measure's `"value"` of all golden–proxy pairs as a heat map. Raises InvalidChoice for others.

    >>> matrix(evaluate(open()), "value")
    """
    if figure not in ("ndr", "value"):
        raise InvalidChoice(f"figure is {figure!r}; choose 'ndr' or 'value'")
    pairs = frames.marked(result.frame(), golden=None, proxy=None)
    return matrix_chart(pairs, figure, MEASURES[result.evaluation.measure]).properties(width=_WIDTH)


def leaderboard(board: Board, figure: str = "value") -> alt.LayerChart:
    """Draw each measure's Kendall τ (`"value"`) or its `"difference"` from accuracy's. Raises InvalidChoice for others.

    >>> leaderboard(evaluate_all(open()))
    """
    titles = {"value": "Kendall τ with NDR", "difference": "Kendall τ minus that of accuracy"}
    if figure not in titles:
        raise InvalidChoice(f"figure is {figure!r}; choose one of {[*titles]}")
    rows = board.frame().with_columns(policies=pl.lit(board.policies))
    return leaderboard_chart(rows, rows["title"].to_list(), figure, titles[figure]).properties(width=_WIDTH)
