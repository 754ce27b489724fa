"""What optimising a proxy does: Goodhart's slope, overoptimisation, longer responses, and what a KL penalty changes."""

from __future__ import annotations

from dataclasses import replace

from warehouse.claims.claim import SHARED, Cell, Claim, Finding, Optimised, Study, Table, resolved_by_interval
from warehouse.claims.findings import CLOSE, follows_curve
from warehouse.claims.verdict import CANNOT_BE_TOLD, FEWEST_RESAMPLED, NEGLIGIBLE, SIGNIFICANT, Verdict, above, below
from warehouse.formats import count
from warehouse.stats.bootstrap import NOTHING, Estimate
from warehouse.study.curves.gain_curves import FittedCurve, gain_curves
from warehouse.study.curves.strength_curves import NdrCurve, length_drift, ndr_curve
from warehouse.study.curves.value_curves import ValueCurves
from warehouse.study.goodhart import GoodhartSlopes, goodhart_slopes

_NO_OWN_POLICY = "no policy was optimised against the golden, so what its gain loses is not known"
_NO_SPREAD = "fewer than two reward models tell responses to a prompt apart"


def goodhart_slope(study: Study) -> Claim:
    """The golden gain per proxy gain is what accuracy says by regressional Goodhart."""
    findings, tables, notes = [], [], []
    for policies in study.optimised.values():
        names = _with_spread(policies)
        if len(names) < 2:
            findings.append(Finding(policies.called, "slope minus curve", NOTHING, "undefined", _NO_SPREAD))
            continue
        slopes = goodhart_slopes(
            policies.cube.of_reward_models(names),
            policies.curves.of_reward_models(names).values,
            policies.spread_M[policies.spread_M > 0],
            replicates=study.replicates,
            seed=study.seed,
        )
        finding = replace(follows_curve(slopes), about=policies.called)
        findings.append(finding if slopes.shared_prompts else resolved_by_interval(finding, policies.sizes))
        rows = tuple(
            (f"{b.accuracy:.3f}", Estimate(b.slope, b.low, b.high, slopes.replicates), b.curve, b.pairs)
            for b in slopes.bins
        )
        tables.append(Table(f"Pairs by accuracy, {policies.called}", ("accuracy", "slope", "the curve", "pairs"), rows))
        undefined = int(policies.cube.roles.pairs_MM.sum()) - int(slopes.defined_MM.sum())
        notes.append(f"{policies.called}: {_test(slopes)}; {undefined} pairs undefined.")
        if slopes.shared_prompts:
            notes.append(SHARED)
    return Claim(
        "goodhart",
        "Golden gain per proxy gain follows sin(π(accuracy − ½))",
        "The slope of standardised golden gain on standardised proxy gain along the strengths, against what "
        "regressional Goodhart gives for the accuracy. Decided by the test of fit over bins of accuracy, whose p comes "
        f"from null studies of the run’s own size: it is refuted if p is below {SIGNIFICANT:g}; it holds if p is "
        f"not, and every bin’s interval is within {CLOSE:g} of the curve.",
        tuple(findings),
        tuple(tables),
        notes=(
            *notes,
            "A null study is the run with its slopes put on the curve and its prompts resampled; the test allows for "
            "few prompts by Hotelling’s F. Intervals resample reward models × prompts.",
        ),
    )


def _with_spread(policies: Optimised) -> list[str]:
    """Reward models that score responses to a prompt differently: the others have no unit to measure gains in."""
    return [name for name, spread in zip(policies.curves.reward_models, policies.spread_M, strict=True) if spread > 0]


def _test(slopes: GoodhartSlopes) -> str:
    test = slopes.test
    if test.p_value is None or test.t2 is None:
        return "no test"
    p = "p < 0.001" if test.p_value < 0.001 else f"p = {test.p_value:.3f}"
    return f"Hotelling’s T² = {test.t2:.1f} over {count(test.bins, 'bin')}, {p}"


def optimising_harder(study: Study) -> Claim:
    """Optimising a proxy harder loses more of the gain, and in the end some of the golden reward itself."""
    findings, drift, below_zero = [], [], []
    rows: list[tuple[Cell, ...]] = []
    for policies in study.optimised.values():
        ndr = ndr_curve(policies.curves, replicates=study.replicates, seed=study.seed)
        if len(_with_spread(policies)) < 2:
            findings.append(Finding(policies.called, "change of mean NDR", NOTHING, "undefined", _NO_SPREAD))
            continue
        about, change = f"{policies.called}: loses more", _change(ndr)
        why = "" if change.value is not None else "it takes two strengths at which a golden’s own gain is clear"
        finding = Finding(about, "change of mean NDR", change, below(change), why)
        if ndr.quantity == "gain":
            finding = Finding(about, "change of mean NDR", NOTHING, "undefined", _NO_OWN_POLICY)
        findings.append(resolved_by_interval(finding, policies.sizes))
        gained = gain_curves(policies.curves, policies.spread_M, replicates=study.replicates, seed=study.seed)
        golden = gained.curves["golden"]
        findings.append(_peak_finding(policies, golden))
        for s, strength in enumerate(policies.curves.strengths):
            gains = (gained.curves[name].gains[s] for name in ("own", "golden", "proxy"))
            at = (policies.title, f"{strength:g}", golden.distances[s])
            rows.append((*at, *gains, ndr.ndr[s], ndr.undefined[s]))
        if gained.below_zero:
            below_zero.append(
                f"{policies.called}: {count(gained.below_zero, 'policy')} with a KL estimated below 0, "
                "taken to be at distance 0."
            )
        both = f"{ndr.change.pairs if ndr.change else 0} of {ndr.pairs}"
        peaks = f"{golden.peaks:.0%}"
        drift.append((policies.called, change, both, gained.degree, golden.peak, peaks, _longer(study, policies)))
    header = ("optimiser", "strength", "√KL", "golden, own policy", "golden, proxy’s policy", "proxy, its own policy")
    by_strength = Table(
        "Gains in standard deviations within prompts, mean over pairs", (*header, "NDR", "undefined pairs"), tuple(rows)
    )
    degree = Table(
        "Change of mean NDR, degree of overoptimisation γ, peak of the golden reward, and length",
        (
            "policies",
            "change of mean NDR",
            "pairs defined at both ends",
            "γ",
            "peak, √KL",
            "replicates with a peak",
            "tokens more than the initial policy’s",
        ),
        tuple(drift),
    )
    return Claim(
        "harder",
        "Optimising harder overoptimises",
        "Loses more: decided by the change of mean NDR from the first strength at which some pair is defined to the "
        "last, over the pairs that are defined at both; it is below 0 if it does, and not if its interval begins above "
        f"−{NEGLIGIBLE:g}. Peaks: decided by where "
        "the fit to the mean golden reward under the proxy’s optimisation peaks, which is before the farthest √KL of "
        "the run if it does.",
        tuple(findings),
        (by_strength, degree),
        notes=(
            "Best-of-n’s KL is an upper bound. In the table of gains, the mean NDR at a strength is over the pairs "
            "that are defined there, which may be others than at the next.",
            *below_zero,
        ),
        beyond_paper=True,
    )


def _peak_finding(policies: Optimised, golden: FittedCurve) -> Finding:
    farthest = max(golden.distances)
    about, figure = f"{policies.called}: golden reward peaks", f"peak (the run reaches {farthest:.2f}), √KL"
    if golden.fit is None:
        return Finding(about, figure, NOTHING, "undefined", "a fit takes three strengths that move the policy")
    peak = golden.peak
    if peak.value is None or peak.high is None:  # some replicates, or the sample, have no peak at all
        verdict: Verdict = CANNOT_BE_TOLD
        if golden.peaks < SIGNIFICANT / 2 or (peak.low is not None and peak.low > farthest):
            verdict = "refuted"
        return Finding(about, figure, peak, verdict)
    return Finding(about, figure, peak, below(peak, farthest))


def _longer(study: Study, policies: Optimised) -> Cell:
    if policies.tokens_SMQ is None or policies.initial_tokens_Q is None:
        return "not counted"
    more_SMQ = policies.tokens_SMQ[-1:] - policies.initial_tokens_Q
    return length_drift(more_SMQ, replicates=study.replicates, seed=study.seed).mean[0]


def kl_penalty(study: Study) -> Claim:
    """A KL penalty keeps more of the gain."""
    claim = Claim(
        "kl-penalty",
        "A KL penalty keeps more of the gain",
        "Policies trained against the reward models of the sweep. Decided by the change of mean NDR from the penalty "
        "of all others to the largest, over the pairs that are defined under both, on the same draws, at the same step "
        f"and at the same KL: it holds above 0, not if the interval ends below {NEGLIGIBLE:g}. It takes a sweep of "
        f"{FEWEST_RESAMPLED} reward models or more; of fewer it {CANNOT_BE_TOLD}.",
        beyond_paper=True,
    )
    policies = next((policies for policies in study.optimised.values() if policies.penalised is not None), None)
    if policies is None or policies.penalised is None:
        return replace(claim, missing="no algorithm was run with more than one KL penalty")
    swept = policies.penalised
    spread_M = policies.spread_M[[policies.curves.reward_models.index(name) for name in swept.reward_models]]
    gained = gain_curves(swept, spread_M, replicates=study.replicates, seed=study.seed)
    same_step = ndr_curve(swept, replicates=study.replicates, seed=study.seed)
    findings, same_kl = [_penalty_finding(study, swept, policies.called)], None
    if policies.at_kl is not None:
        about = f"{policies.title} at a KL of {policies.matched_kl:.2f} nats"
        findings.append(_penalty_finding(study, policies.at_kl, about))
        same_kl = ndr_curve(policies.at_kl, replicates=study.replicates, seed=study.seed)
    rows: list[tuple[Cell, ...]] = []
    for s, penalty in enumerate(swept.strengths):
        own, at_kl = gained.curves["own"].gains[s], None if same_kl is None else same_kl.ndr[s]
        mean_kl = float(swept.kl_SM[s].mean())
        rows.append((f"{penalty:g}", mean_kl, own, same_step.ndr[s], same_step.undefined[s], at_kl))
    header = ("KL penalty", "KL, nats", "own gain", "NDR, same step", "undefined pairs", "NDR, same KL")
    models = count(int(swept.roles.proxy_M.sum()), "reward model")
    table = Table(f"{models}, {count(same_step.pairs, 'pair')}", header, tuple(rows))
    notes = [
        "Own gain: golden reward of the golden’s own policy, in standard deviations within prompts. KL is the "
        "mean over reward models, as estimated."
    ]
    return replace(claim, findings=tuple(findings), tables=(table,), notes=tuple(notes))


def _penalty_finding(study: Study, swept: ValueCurves, about: str) -> Finding:
    """The change from the first penalty to the largest."""
    ends = [0, swept.strengths.index(max(swept.strengths))]
    first, last = (swept.strengths[end] for end in ends)
    two = replace(
        swept, strengths=(first, last), kl_SM=swept.kl_SM[ends], values=tuple(swept.values[end] for end in ends)
    )
    curve = ndr_curve(two, replicates=study.replicates, seed=study.seed)
    change, M = _change(curve), int(swept.roles.proxy_M.sum())
    verdict, why = above(change), ""
    if change.value is None:
        why = "no golden’s own gain is clear under both penalties"
    elif M < FEWEST_RESAMPLED:
        verdict, why = CANNOT_BE_TOLD, f"resampling {count(M, 'reward model')} says little about others"
    both = f"{curve.change.pairs if curve.change else 0} of {curve.pairs}"
    return Finding(f"{about}, {first:g} → {last:g}", f"change of mean NDR, {both} pairs", change, verdict, why)


def _change(curve: NdrCurve) -> Estimate:
    return curve.change.difference if curve.change else NOTHING
