"""How well measures of reward models predict outcomes: numbers that were measured elsewhere, one per reward model."""

from warehouse.study.outcomes.outcome import FEWEST, Outcome
from warehouse.study.outcomes.prediction import CORRELATIONS, Board, Prediction, predict, predict_all

__all__ = ["CORRELATIONS", "FEWEST", "Board", "Outcome", "Prediction", "predict", "predict_all"]
