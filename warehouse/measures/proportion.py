"""The interval of a share of independent trials, where only the share and their number were kept."""

from __future__ import annotations

import math

from scipy import special

from warehouse.errors import InvalidChoice
from warehouse.measures.bootstrap import LEVEL


def wilson_interval(share: float, trials: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (Wilson 1927). Raises InvalidChoice for no trials or no share."""
    if trials < 1 or not 0.0 <= share <= 1.0:
        raise InvalidChoice(f"share is {share} of {trials} trials; it takes a share from 0 to 1 of 1 trial or more")
    z = float(special.ndtri(0.5 + LEVEL / 2))
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)
