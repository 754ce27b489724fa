"""Do reactions of reward models to edited responses forecast how their policies drift?"""

from warehouse.study.reactions.forecast import Drift, Forecast, Forecasts, forecasts
from warehouse.study.reactions.reactions import Reactions

__all__ = ["Drift", "Forecast", "Forecasts", "Reactions", "forecasts"]
