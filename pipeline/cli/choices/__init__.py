"""What `righttree choose` prints, by policies, a measure or an outcome, and `righttree predict`: as text or JSON."""

from __future__ import annotations

from typing import Any

from warehouse.stats.bootstrap import Estimate

Result = dict[str, Any]


def figure(estimate: Estimate) -> Result:
    """A figure with its interval, null where undefined."""
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}
