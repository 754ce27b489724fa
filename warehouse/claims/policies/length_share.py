"""Do policies gain by better responses, or by responses that are shorter, longer or finished?"""

from __future__ import annotations

from dataclasses import replace

from warehouse.claims.claim import Cell, Claim, Finding, Optimised, Study, Table, resolved_by_interval
from warehouse.claims.verdict import below
from warehouse.stats.bootstrap import NOTHING, Estimate
from warehouse.study.curves.length_features import APART, APART_SHARE
from warehouse.study.curves.length_share import LengthShare, length_share

LITTLE = 0.2
"""A share of the gain that is little, fixed beforehand."""

_NOT_RECORDED = "how long the responses are, and whether they end, was not recorded"


def length_explains_little(study: Study) -> Claim:
    """Length and finishing explain little of the golden gain of the policies."""
    findings: list[Finding] = []
    rows: list[tuple[Cell, ...]] = []
    matched: list[tuple[Cell, ...]] = []
    claim = Claim(
        "length",
        "Length and finishing explain little of the gain",
        "Each golden’s scores of the initial policy’s responses are fitted within prompts by whether a response ends, "
        "log length and log² length. What the policies’ own lengths and endings add by that fit is the explained gain. "
        "Decided at the greatest strength by the sum of explained gains over the sum of gains, over the golden–proxy "
        f"pairs whose golden clearly gains from its own policy: it holds below {LITTLE:g}, not above.",
        resampled="reward models × prompts, the fit again in each draw",
        beyond_paper=True,
    )
    if all(policies.features is None for policies in study.optimised.values()):
        return replace(claim, missing=_NOT_RECORDED)
    characters = []
    for policies in study.optimised.values():
        explained = _length_share(study, policies)
        if explained is None:
            why = (
                _NOT_RECORDED
                if policies.features is None
                else "fewer than two reward models score responses differently"
            )
            findings.append(Finding(policies.called, "share explained", NOTHING, "undefined", why))
            continue
        findings.append(_finding(policies, explained))
        rows += _rows(policies, explained)
        if explained.matched is not None:
            matched.append(
                (policies.called, explained.at[-1].gain, explained.matched.gain, explained.matched.unmatched)
            )
        if explained.unit != "tokens":
            characters.append(policies.called)
    tables = [Table("What length and finishing explain, in standard deviations within prompts", _HEADER, tuple(rows))]
    if matched:
        header = ("policies", "gain", "gain of matched responses", "share of responses without a match")
        tables.append(Table("Responses against the initial policy’s of like length", header, tuple(matched)))
    notes = [
        "Explained is what such responses are worth under the initial policy, with whatever goes along with their "
        "length there; a share below 0 says that the policies gain in spite of it. Of best-of-n and tilted policies, "
        "lengths and endings are the expected ones. r² is that of explained and actual gains over the pairs, without "
        "an interval: it also falls with the noise of the gains.",
        "Matched are responses to one prompt that both end or are both cut off, and differ in length by at most "
        f"{APART:g} tokens or {APART_SHARE:.0%} of the policy’s.",
    ]
    if characters:
        notes.append(f"{' and '.join(characters)}: lengths are in characters, and whether responses end is not known.")
    return replace(claim, findings=tuple(findings), tables=tuple(tables), notes=tuple(notes))


_HEADER = (
    *("optimiser", "strength", "gain", "explained", "left over", "share explained", "r²"),
    *("pairs", "left out, golden’s own gain unclear", "finished, initial policy", "finished"),
)


def _length_share(study: Study, policies: Optimised) -> LengthShare | None:
    """None where it is not known or nothing can be compared."""
    if policies.features is None or (policies.spread_M > 0).sum() < 2:
        return None
    return length_share(
        policies.curves, policies.features, policies.spread_M, replicates=study.replicates, seed=study.seed
    )


def _finding(policies: Optimised, explained: LengthShare) -> Finding:
    last, why = explained.at[-1], ""
    share: Estimate = last.share
    if share.value is None:
        why = "the mean gain cannot be told from zero" if last.pairs else "no golden clearly gains from its own policy"
    finding = Finding(policies.called, "share explained", share, below(share, LITTLE), why)
    return resolved_by_interval(finding, policies.sizes, LITTLE)


def _rows(policies: Optimised, explained: LengthShare) -> list[tuple[Cell, ...]]:
    known = explained.unit == "tokens"  # else whether responses end is not known
    return [
        (
            *(policies.title, f"{strength:g}", at.gain, at.explained, at.left, at.share, at.r2),
            *(at.pairs, at.unclear, *((explained.initial_finished, at.finished) if known else (None, None))),
        )
        for strength, at in zip(policies.curves.strengths, explained.at, strict=True)
    ]
