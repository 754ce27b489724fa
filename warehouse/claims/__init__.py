"""The claims of the paper, and some beyond it, examined on one run: figures, intervals and verdicts that are computed.

Pure functions of arrays; each says beforehand which figure's interval decides.
"""

from dataclasses import replace

from warehouse.claims import setting
from warehouse.claims.claim import Claim, Finding, Optimised, Study, Table
from warehouse.claims.constructions import (
    budget_on_responses,
    category_matters,
    more_responses,
    paraphrases,
    rank_matters,
)
from warehouse.claims.expected_quality import better_than_values
from warehouse.claims.policies.against_ppo import better_for_best_of_n
from warehouse.claims.policies.length_share import length_explains_little
from warehouse.claims.policies.optimising import goodhart_slope, kl_penalty, optimising_harder
from warehouse.claims.policies.reactions import reactions_forecast_drift
from warehouse.claims.prediction import (
    accuracy_predicts,
    another_measure_predicts_better,
    other_kinds,
)
from warehouse.claims.response_source import response_source
from warehouse.claims.restricted_range import restricted_range
from warehouse.claims.similar_accuracy import similar_but_different

CLAIMS = (
    accuracy_predicts,
    similar_but_different,
    better_for_best_of_n,
    category_matters,
    rank_matters,
    more_responses,
    budget_on_responses,
    paraphrases,
    goodhart_slope,
    another_measure_predicts_better,
    other_kinds,
    kl_penalty,
    optimising_harder,
    restricted_range,
    response_source,
    better_than_values,
    reactions_forecast_drift,
    length_explains_little,
)
"""In the order of the page."""

__all__ = ["CLAIMS", "Claim", "Finding", "Optimised", "Study", "Table", "examine"]


def examine(study: Study) -> tuple[Claim, ...]:
    """All claims on a study with one optimiser or more, and how its setting differs if the paper is not confirmed."""
    examined = (claim(study) for claim in CLAIMS)
    return tuple(replace(claim, setting=setting.difference(study, claim)) for claim in examined)
