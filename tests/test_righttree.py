"""The notebook interface: its names and arguments stay, and it gives the figures of the code beneath it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from altair import LayerChart

import righttree as rt
import warehouse
from pipeline.runs.exchange import import_files
from tests.warehouse.exchange.files import long_frame, write
from warehouse import exchange, ingest, reads, store
from warehouse import study as warehouse_study
from warehouse.metrics.cube import best_of_n_policies, score_cube
from warehouse.study.power import resolution
from warehouse.study.two_models import measure_draws

ROOT = Path(__file__).parent.parent
RECORDED = Path(warehouse.__file__).parent / "recorded"
CHOICES = "optimizer='bon', strength=None, kl=None, source='initial', paraphrase=0.0, rl_categories=None, "
CHOICES += "replicates=1000, seed=0"
SIGNATURES = {
    "open": "where=None, run=None",
    "from_arrays": "scores_MPR, samples_MQN, *, reward_models=None, flip_rates=None, categories=None, "
    "sample_categories=None",
    "evaluate": f"study, measure='accuracy', test_set=None, *, {CHOICES}",
    "compare": f"study, first, second='accuracy', test_set=None, *, second_test_set=None, {CHOICES}",
    "evaluate_all": f"study, test_set=None, *, {CHOICES}",
    "power": "study, first, second, *, measure='accuracy', golden=None, optimizer='bon', strength=None, seed=0",
    "scatter": "result",
    "matrix": "result, figure='ndr'",
    "leaderboard": "board, figure='value'",
    "Study.scores": "self, source='initial', *, paraphrase=0.0, seed=0",
    "Study.policies": "self, optimizer='bon', strength=None, *, kl=None",
    "Study.largest": "self, optimizer",
    "Study.usual": "self, optimizer",
    "Study.with_goldens": "self, *names",
    "Result.frame": "self",
    "Result.correlations": "self",
    "Difference.frame": "self",
    "Board.frame": "self",
    "Power.frame": "self, differences=(0.01, 0.02, 0.05), power=0.8",
    "TestSet": "categories=None, subsets=None, responses=None, prompts=None, budget=None, rank_bins=None, "
    "chosen_bin=None, rejected_bin=None, noise=None, seed=0, whole=False",
}
ATTRIBUTES = {
    "Study": {"name", "reward_models", "strengths", "sources"},
    "Result": {"study", "evaluation", "policies", "kendall"},
    "Difference": {"first", "second", "comparison", "kendall"},
    "Board": {"study", "comparisons", "policies", "adjusted"},
    "Power": {"study", "first", "second", "measure", "policies", "in_measure", "in_policies"},
}
KNOWN = [
    *("value", "low", "high", "measure_itself", "measure_itself_low", "measure_itself_high"),
    *("sample", "sample_low", "sample_high", "ceiling", "ceiling_low", "ceiling_high", "of_ceiling", "p_value"),
]
"""What tables have of a correlation."""
COLUMNS = {
    "Result.frame": ["golden", "proxy", "golden_flip_rate", "proxy_flip_rate", "value", "ndr", "ndr_low", "ndr_high"],
    "Result.correlations": ["level", "correlation", *KNOWN],
    "Difference.frame": ["correlation", "first", "second", "difference", "low", "high", "verdict"],
    "Power.frame": ["figure", "responses", "difference", "prompts"],
    "Board.frame": [
        *("measure", "title", *KNOWN, "group"),
        *("difference", "difference_low", "difference_high", "p_difference", "verdict"),
    ],
}


def named(name: str) -> object:
    found: object = rt
    for part in name.split("."):
        found = getattr(found, part)
    return found


def signature(name: str) -> str:
    """The arguments and defaults of a public callable, without annotations."""
    found = inspect.signature(named(name))  # type: ignore[arg-type]
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in found.parameters.values()]
    return str(found.replace(parameters=plain, return_annotation=inspect.Signature.empty))[1:-1]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> rt.Study:
    """The recorded run, opened from an empty data folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIGHTTREE_HOME", str(tmp_path_factory.mktemp("empty")))
        return rt.open()


@pytest.fixture(scope="module")
def result(study: rt.Study) -> rt.Result:
    return rt.evaluate(study, "spearman", strength=8, replicates=50)


# What others rely on --------------------------------------------------------------------------------------------------


def test_the_public_names_and_their_arguments_are_these() -> None:
    functions = {name.split(".")[0] for name in SIGNATURES}
    assert set(rt.__all__) == functions | set(ATTRIBUTES) | {"MEASURES", "WarehouseError"}
    assert {name: signature(name) for name in SIGNATURES} == SIGNATURES


def test_the_public_classes_have_these_methods_and_attributes() -> None:
    for name, attributes in ATTRIBUTES.items():
        methods = {method.split(".")[1] for method in SIGNATURES if method.startswith(f"{name}.")}
        kind = named(name)
        public = {*vars(kind), *kind.__dataclass_fields__}  # type: ignore[attr-defined]
        assert {found for found in public if not found.startswith("_")} == methods | attributes


def test_tables_have_these_columns(study: rt.Study, result: rt.Result) -> None:
    frames = {
        "Result.frame": result.frame().drop("regret", "defined"),
        "Result.correlations": result.correlations(),
        "Difference.frame": rt.compare(study, "ndcg", replicates=20).frame(),
        "Board.frame": rt.evaluate_all(study, replicates=20).frame(),
        "Power.frame": rt.power(study, "flip-0.00", "flip-0.10").frame(),
    }
    assert {name: frame.columns for name, frame in frames.items()} == COLUMNS


def test_every_public_function_has_an_example() -> None:
    functions = [name for name in SIGNATURES if "." not in name and name != "TestSet"]
    assert [name for name in functions if f"{name}(" not in str(named(name).__doc__).partition(">>>")[2]] == []


def test_importing_it_leaves_the_checks_of_altair_on() -> None:
    code = "import righttree; from altair.utils import schemapi; print(schemapi.DEBUG_MODE)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "True"


def test_it_needs_neither_streamlit_nor_torch_nor_the_pipeline() -> None:
    absent = ("streamlit", "torch", "transformers", "pipeline")
    code = f"import righttree, sys; print([name for name in {absent} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


# What it gives --------------------------------------------------------------------------------------------------------


def test_without_a_data_folder_it_opens_the_recorded_run(study: rt.Study) -> None:
    assert study.name == "recorded"
    assert study.reward_models.height == 42
    assert "42 reward models" in str(study)


def test_a_folder_and_its_file_are_the_same_run_with_the_figures_of_the_code_beneath(
    tmp_path: Path, result: rt.Result
) -> None:
    ingest.publish(tmp_path, exchange.read_folder(RECORDED, None)[1], "the recorded run")
    connection = store.open_read_only(tmp_path)
    cube = reads.scores.score_cube(connection, "recorded")
    values = reads.values.policy_values(connection, "recorded", "bon", 8)
    expected = warehouse_study.evaluate(cube, values, measure="spearman", replicates=50)
    assert result.kendall == expected.correlations["kendall"]
    for where in (tmp_path, tmp_path / store.LINK):
        found = rt.evaluate(rt.open(where), "spearman", strength=8, replicates=50)
        assert found.kendall == result.kendall


def test_a_result_prints_its_correlations_and_has_a_row_for_each_pair(result: rt.Result) -> None:
    assert result.frame().height == 42 * 41
    value = result.kendall.value
    assert value is not None
    assert f"{value:.2f}" in str(result)
    assert repr(result) == str(result)
    table = result.correlations().row(by_predicate=(pl.col("level") == "pooled") & (pl.col("correlation") == "kendall"))
    assert table[2:5] == (result.kendall.value, result.kendall.low, result.kendall.high)
    itself, ceiling = result.kendall.measure_itself, result.kendall.ceiling
    assert table[5:8] == (itself.value, itself.low, itself.high)
    assert table[11:14] == (ceiling.value, ceiling.low, ceiling.high)
    assert table[14] == result.kendall.of_ceiling
    text = str(result)
    for title in ("this test set", "the measure itself", "plain", "ceiling"):
        assert title in text.splitlines()[1]
    assert f"plain Kendall τ is {result.kendall.of_ceiling:.0%} of its ceiling" in text
    assert "rough" not in text


def test_a_comparison_is_the_difference_of_its_two_results(study: rt.Study) -> None:
    compared = rt.compare(study, "accuracy_pair", strength=8, replicates=50)
    for name, first, second, difference in compared.frame().select(pl.nth(0, 1, 2, 3)).iter_rows():
        assert difference == pytest.approx(first - second), name
    assert "minus Accuracy, plain and paired" in str(compared)
    board = rt.evaluate_all(study, strength=8, replicates=50).frame()
    row = board.row(by_predicate=pl.col("measure") == "accuracy_pair", named=True)
    assert row["difference"] == pytest.approx(compared.kendall.value)
    assert board["value"].is_sorted(descending=True)


def test_a_leaderboard_allows_for_all_its_comparisons(study: rt.Study) -> None:
    board = rt.evaluate_all(study, strength=8, replicates=200)
    frame = board.frame()
    alone = rt.compare(study, "accuracy_pair", strength=8, replicates=200).kendall
    row = frame.row(by_predicate=pl.col("measure") == "accuracy_pair", named=True)
    assert alone.low is not None
    assert row["difference_low"] < alone.low
    others = frame.filter(pl.col("measure") != "accuracy")
    assert others["p_difference"].is_between(0, 1).all()
    told = others.filter(pl.col("verdict").is_in(["better", "worse"]))
    assert told.height > 0
    assert (told["p_difference"] < 0.05).all()
    for measure in told["measure"]:
        assert not set(board.adjusted[measure].groups) & set(board.adjusted["accuracy"].groups)
    assert frame["group"][0] == "a"
    assert "verdicts hold for all measures at once" in str(board)


def test_few_reward_models_and_shared_prompts_are_said(tmp_path: Path) -> None:
    together = write(long_frame(prompts=12), tmp_path / "together.csv")
    import_files(tmp_path / "home", [together], "together", "auto")
    mine = rt.open(tmp_path / "home")
    shown = (rt.evaluate(mine, replicates=20), rt.compare(mine, "pearson", replicates=20))
    for text in map(str, (*shown, rt.evaluate_all(mine, replicates=20))):
        assert "intervals are rough: 3 reward models, fewer than 10, say little about others" in text
        assert "the same 12 prompts on both sides: correlations are cross-fitted" in text


def test_two_reward_models_are_compared_as_the_code_beneath_does(study: rt.Study) -> None:
    compared = rt.power(study, "flip-0.00", "flip-0.10", optimizer="ppo", golden="length-0.50")
    expected = resolution(measure_draws(study.scores(), "flip-0.00", "flip-0.10", golden="length-0.50"))
    assert compared.in_measure == expected
    assert compared.in_policies.responses == 16  # 8 of each seed's policy
    frame = compared.frame([0.05])
    assert frame["prompts"].to_list()[2] == expected.prompts_for(0.05)
    assert f"{expected.difference.value:.3f}" in str(compared)
    assert "NDR, ppo at 16" in str(compared)


def test_two_of_your_own_reward_models_are_compared() -> None:
    rng = np.random.default_rng(0)
    quality, noise = rng.normal(size=(60, 13)), rng.normal(size=(4, 60, 13))
    scores = quality + np.array([0.2, 0.5, 1.0, 2.0])[:, None, None] * noise
    compared = rt.power(rt.from_arrays(scores[:, :, :5], scores[:, :, 5:]), "rm-0", "rm-3")
    assert compared.policies == "bon at 4"
    for result in (compared.in_measure, compared.in_policies):
        assert result.difference.low is not None
        assert result.difference.low > 0
        assert result.prompts == 60


def test_arrays_give_the_figures_of_the_arrays() -> None:
    rng = np.random.default_rng(0)
    scores, samples = rng.normal(size=(4, 30, 5)), rng.normal(size=(4, 20, 12))
    mine = rt.from_arrays(scores, samples, flip_rates=[0.0, 0.1, 0.2, 0.3])
    assert mine.strengths["strength"].to_list() == [1, 2, 4, 8, 12]
    found = rt.evaluate(mine, "kendall", strength=3, replicates=20)
    expected = warehouse_study.evaluate(
        score_cube(scores),
        best_of_n_policies(samples, 3),
        measure="kendall",
        replicates=20,
    )
    assert found.kendall == expected.correlations["kendall"]
    assert rt.scatter(found).to_dict()


def test_charts_are_valid_vega_lite(study: rt.Study, result: rt.Result) -> None:
    board = rt.evaluate_all(study, replicates=20)
    for chart in (
        rt.scatter(result),
        rt.matrix(result),
        rt.matrix(result, "value"),
        rt.leaderboard(board),
        rt.leaderboard(board, "difference"),
    ):
        assert isinstance(chart, LayerChart)
        LayerChart.from_dict(chart.to_dict(), validate=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda study: rt.evaluate(study, "acuracy"), "no measure 'acuracy'"),
        (lambda study: rt.evaluate(study, optimizer="dpo"), "no policies of 'dpo'"),
        (lambda study: rt.power(study, "flip-0.00", "flip-0.00"), "name two different ones"),
        (lambda study: rt.power(study, "flip-0.00", "seed-1", optimizer="dpo"), "no policies of 'dpo'"),
        (lambda study: study.policies(strength=4, kl=1.0), "strength is 4 and kl is 1.0"),
        (lambda study: rt.matrix(rt.evaluate(study, replicates=5), "error"), "figure is 'error'"),
        (lambda study: rt.leaderboard(rt.evaluate_all(study, replicates=5), "ndr"), "figure is 'ndr'"),
        (lambda _: rt.open("/nowhere"), "no warehouse in /nowhere"),
        (lambda _: rt.from_arrays(np.zeros((3, 4, 2)), np.zeros((2, 4, 2))), "samples have shape (2, 4, 2)"),
    ],
)
def test_a_wrong_choice_is_one_clear_error(study: rt.Study, call: object, message: str) -> None:
    with pytest.raises(rt.WarehouseError) as caught:
        call(study)  # type: ignore[operator]
    assert message in str(caught.value)
