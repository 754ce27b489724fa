"""The metrics layer: pure NumPy and SciPy, no database, no dashboard. METHOD's formulas, each in its module.

`evaluate` is the front door: a score cube and policy values in, errors, NDR and their correlations with intervals out.
"""

from warehouse.measures.across_pairs import CORRELATIONS
from warehouse.measures.arrays import best_of_n_policies, score_cube
from warehouse.measures.best_of_n import best_of_n_kl_bound, best_of_n_values
from warehouse.measures.bootstrap import Estimate
from warehouse.measures.catalogue import MEASURES
from warehouse.measures.comparison import Comparison, compare, compare_all
from warehouse.measures.cube import PolicyValues, ScoreCube
from warehouse.measures.curves import BudgetPoint, budget_curve, rank_bin_cells, rank_bin_map
from warehouse.measures.evaluate import Evaluation, evaluate, evaluate_all, evaluate_each
from warehouse.measures.goodhart import (
    GoodhartSlopes,
    SlopeBin,
    accuracy_of_correlation,
    goodhart_slopes,
    slope_of_accuracy,
    spread_within_prompts,
)
from warehouse.measures.plans import Advice, Plan, advise, annotation_plans
from warehouse.measures.preparation import prepare, prepare_all
from warehouse.measures.prompt_values import PromptValues
from warehouse.measures.rm_error import Measure
from warehouse.measures.test_set import TestSet, with_paraphrases, with_responses

__all__ = [
    "CORRELATIONS",
    "MEASURES",
    "Advice",
    "BudgetPoint",
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
    "accuracy_of_correlation",
    "advise",
    "annotation_plans",
    "best_of_n_kl_bound",
    "best_of_n_policies",
    "best_of_n_values",
    "budget_curve",
    "compare",
    "compare_all",
    "evaluate",
    "evaluate_all",
    "evaluate_each",
    "goodhart_slopes",
    "prepare",
    "prepare_all",
    "rank_bin_cells",
    "rank_bin_map",
    "score_cube",
    "slope_of_accuracy",
    "spread_within_prompts",
    "with_paraphrases",
    "with_responses",
]
