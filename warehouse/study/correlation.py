"""What a correlation of a measure with NDR says: about this test set, about the measure itself, and as it comes.

METHOD, "Intervals". `Correlation` holds both answers, which are never mixed, beside the plain figure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from warehouse.formats import count
from warehouse.stats import intervals
from warehouse.stats.bootstrap import NOTHING, Estimate
from warehouse.stats.correlation import Figure
from warehouse.stats.noise import HIGH, Corrected, Side, corrected
from warehouse.stats.resampling import Rows
from warehouse.study.folds import FEWEST

FEW_MODELS = 10
"""With fewer reward models than this, intervals are rough: few say little about others."""


@dataclass(frozen=True)
class Correlation(Estimate):
    """How well a measure predicts NDR, with 95 % intervals; the value itself is about *this test set*.

    - This test set (`value`, `low`, `high`): how well does the measure on a test set of this size predict what
      policies are really worth? The noise of their values is taken off, that of RM-test prompts belongs to the answer.
    - `measure_itself`: the same with unlimited RM-test prompts. The noise of both sides is taken off.
    - `sample`: the plain correlation of the figures as they are, with all their noise.
    - `ceiling`: the greatest plain correlation that any measure could have here, given noisy values of policies.

    `p_value` is that of the permutation test of no prediction at all (QAP), None where undefined.
    """

    sample: Estimate = NOTHING
    measure_itself: Estimate = NOTHING
    ceiling: Estimate = NOTHING
    p_value: float | None = None

    @property
    def of_ceiling(self) -> float | None:
        """The plain correlation as a share of the ceiling, which is one of plain correlations; None if undefined."""
        if self.sample.value is None or not self.ceiling.value:
            return None
        return self.sample.value / self.ceiling.value


def correlation(rows: Rows, name: str, figure: Figure, rm_noise: float, ceiling: Estimate) -> Correlation:
    """What a figure `[rows]` of the altered studies says; `rm_noise` is the test set's in its noise."""
    spread = intervals.spread_of(rows, figure)
    value, defined = float(figure[0][0]), bool(figure[1][0])
    least = 0.0 if name == "mrr" else -1.0
    if not defined:
        return Correlation(value=None, low=None, high=None, replicates=0, ceiling=ceiling)
    if spread is None:
        anything = Estimate(value, least, 1.0, 0)
        return Correlation(value, least, 1.0, 0, anything, anything, ceiling)
    estimates = []
    for noise in (rm_noise, 0.0):
        fixed = less_noise(rows, name, figure, noise)
        grown = spread._replace(variance=spread.variance * fixed.factor**2)
        estimates.append(intervals.around(fixed.value, grown, low=least, error=fixed.error))
    this, itself = estimates
    # noise takes most from what is perfect, and MRR's favourites at once, more than added noise shows: near 1, and of
    # MRR, only the lower end is known
    if name == "mrr" or (itself.value is not None and itself.value > HIGH):
        itself = replace(itself, high=1.0)
    return Correlation(
        this.value,
        this.low,
        this.high,
        this.replicates,
        sample=intervals.around(value, spread, low=least),
        measure_itself=itself,
        ceiling=ceiling,
        p_value=intervals.permutation_p(rows, figure, both_sides=name != "mrr"),
    )


def less_noise(rows: Rows, name: str, figure: Figure, rm_noise: float) -> Corrected:
    """The figure of the sample without the noise of policy values, and with this share of that of RM-test prompts."""
    return corrected(float(figure[0][0]), noise_sides(rows, figure, rm_noise), name)


def noise_sides(rows: Rows, figure: Figure, rm_noise: float) -> list[Side]:
    """How a figure `[rows]` falls with the noise of each side that has too much of it."""
    sides = []
    for parts, remains in ((rows.rl_noise, 0.0), (rows.rm_noise, rm_noise)):
        means = [intervals.mean_over(part, figure) for part in parts]
        if remains < 1.0 and None not in means:
            sides.append(Side([mean for mean in means if mean is not None], remains))
    return sides


def cautions(reward_models: int, shared_prompts: int) -> list[str]:
    """What to beware of in correlations: few reward models, and the same prompts on both sides."""
    lines = []
    if reward_models < FEW_MODELS:
        models = count(reward_models, "reward model")
        lines.append(f"intervals are rough: {models}, fewer than {FEW_MODELS}, say little about others")
    if shared_prompts:
        few = f", which takes {FEWEST} or more on either side" if shared_prompts < FEWEST else ""
        lines.append(
            f"the same {count(shared_prompts, 'prompt')} on both sides: correlations are cross-fitted over halves of "
            f"the prompts{few}"
        )
    return lines
