"""The interval of a share of independent trials."""

from __future__ import annotations

from warehouse.errors import InvalidChoice
from warehouse.measures.bootstrap import LEVEL


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (Wilson 1927). Raises InvalidChoice for no trials or too many successes.

    SciPy's statistics are imported here, on first use: at the top of the module they would double the time that
    importing this package takes.
    """
    from scipy.stats import binomtest

    if trials < 1 or not 0 <= successes <= trials:
        raise InvalidChoice(f"{successes} successes in {trials} trials; give 1 trial or more, and no more successes")
    found = binomtest(successes, trials).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)
