"""The metrics layer: pure NumPy and SciPy, no database, no dashboard. METHOD's formulas, each in its module.

`evaluate` is the front door: a score cube and policy values in, errors, NDR and their correlations with intervals out.
"""

from warehouse.metrics.best_of_n import best_of_n_kl_bound, best_of_n_values
from warehouse.metrics.catalogue import MEASURES
from warehouse.metrics.cube import PolicyValues, ScoreCube, best_of_n_policies, score_cube
from warehouse.metrics.formulas import Measure
from warehouse.metrics.preparation import prepare, prepare_all
from warehouse.metrics.prompt_values import PromptValues
from warehouse.metrics.test_set import TestSet, with_paraphrases, with_responses
from warehouse.stats.across_pairs import CORRELATIONS
from warehouse.stats.bootstrap import Estimate
from warehouse.study.comparison import Comparison, compare, compare_all
from warehouse.study.evaluate import Evaluation, evaluate, evaluate_all, evaluate_each
from warehouse.study.goodhart import (
    GoodhartSlopes,
    SlopeBin,
    goodhart_slopes,
    slope_of_accuracy,
    spread_within_prompts,
)
from warehouse.study.plans import (
    Advice,
    Plan,
    advise,
    annotation_plans,
    rank_bin_cells,
)

__all__ = [
    "CORRELATIONS",
    "MEASURES",
    "Advice",
    "Comparison",
    "Estimate",
    "Evaluation",
    "GoodhartSlopes",
    "Measure",
    "Plan",
    "PolicyValues",
    "PromptValues",
    "ScoreCube",
    "SlopeBin",
    "TestSet",
    "advise",
    "annotation_plans",
    "best_of_n_kl_bound",
    "best_of_n_policies",
    "best_of_n_values",
    "compare",
    "compare_all",
    "evaluate",
    "evaluate_all",
    "evaluate_each",
    "goodhart_slopes",
    "prepare",
    "prepare_all",
    "rank_bin_cells",
    "score_cube",
    "slope_of_accuracy",
    "spread_within_prompts",
    "with_paraphrases",
    "with_responses",
]
