"""The study: how well measures of a reward model predict what a policy loses. Pure NumPy and SciPy, no database.

`evaluate` is the front door: a score cube and policy values in, NDR and correlations with intervals out.
"""

from warehouse.metrics.catalogue import MEASURES
from warehouse.metrics.cube import PolicyValues, ScoreCube
from warehouse.metrics.preparation import prepare
from warehouse.metrics.prompt_values import PromptValues
from warehouse.metrics.test_set import TestSet
from warehouse.stats.across_pairs import CORRELATIONS
from warehouse.stats.bootstrap import Estimate
from warehouse.study.comparison import Comparison, compare, compare_all
from warehouse.study.evaluate import Evaluation, evaluate, replicated

__all__ = [
    "CORRELATIONS",
    "MEASURES",
    "Comparison",
    "Estimate",
    "Evaluation",
    "PolicyValues",
    "PromptValues",
    "ScoreCube",
    "TestSet",
    "compare",
    "compare_all",
    "evaluate",
    "prepare",
    "replicated",
]
