"""The metrics layer: pure NumPy and SciPy, no database, no dashboard. METHOD's formulas, each in its module.

`evaluate` is the front door: a score cube and policy values in, errors, NDR and their correlations with intervals out.
"""

from warehouse.measures.best_of_n import best_of_n_kl_bound, best_of_n_values
from warehouse.measures.cube import PolicyValues, ScoreCube
from warehouse.measures.evaluate import CORRELATIONS, Estimate, Evaluation, PromptTerms, evaluate, prepare
from warehouse.measures.rm_error import MEASURES, Measure
from warehouse.measures.test_set import TestSet

__all__ = [
    "CORRELATIONS",
    "MEASURES",
    "Estimate",
    "Evaluation",
    "Measure",
    "PolicyValues",
    "PromptTerms",
    "ScoreCube",
    "TestSet",
    "best_of_n_kl_bound",
    "best_of_n_values",
    "evaluate",
    "prepare",
]
