"""`righttree findings`: a Markdown page with a computed verdict on each claim about reward models, for one run.

The repository's own copy is docs/findings.md. The page depends only on the run, the replicates and the seed.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.cli import check_target, resolving
from pipeline.cost.growth import Growth
from pipeline.errors import write_errors
from warehouse import files, reads, store
from warehouse.claims import Claim, Table, examine
from warehouse.claims.claim import Cell, Study
from warehouse.claims.policies.endings import cut_off
from warehouse.claims.restricted_range import MOST_FLIPPED
from warehouse.claims.verdict import CANNOT_BE_TOLD, MEANING, Verdict
from warehouse.errors import UnknownName
from warehouse.formats import count, counts, number
from warehouse.reads.study import study as read_study
from warehouse.schema import BY_WEIGHTING
from warehouse.stats.bootstrap import LEVEL, Estimate
from warehouse.study.correlation import cautions
from warehouse.study.folds import shared_prompts
from warehouse.study.regret import unit_of

_NOT_IN_THIS_RUN = "not in this run"
_MEANING: Mapping[str, str] = {**MEANING, _NOT_IN_THIS_RUN: "the run has no data for it"}
_MARKED = re.compile(r"([\\`*_\[\]<>|~])")


def findings(data: Path, choice: argparse.Namespace) -> str:
    """The page of a run (None: the default one), written to the output if that is given; returns what to print.

    Raises UnknownName for a run that is not published, InvalidChoice for one with too little data, InvalidConfig and
    NotWritten for the file.
    """
    run_id, output = choice.run, choice.output
    check_target("--output", output)
    with store.open_read_only(data) as connection:
        runs = reads.runs.all_runs(connection)
        run_id = reads.runs.named_or_default(connection, run_id)
        if run_id not in runs["run_id"]:
            raise UnknownName(f"run {run_id!r} is not in the warehouse; it has {runs['run_id'].to_list()}")
        run = runs.row(by_predicate=pl.col("run_id") == run_id, named=True)
        study = read_study(
            connection, run["run_id"], goldens=choice.golden, replicates=choice.replicates, seed=choice.seed
        )
        models = reads.runs.reward_models(connection, run["run_id"])
        endings = reads.endings.endings(connection, run["run_id"])
    text = page(run, models, study, examine(study), choice=choice, warnings=cut_off(endings, _text))
    if output is None:
        return text.rstrip("\n")
    with write_errors(output, "give another file to --output"):
        files.write_text(output, text)
    return f"wrote the findings for {run['run_id']} to {output}"


def page(
    run: Mapping[str, Any],
    models: pl.DataFrame,
    study: Study,
    claims: Sequence[Claim],
    *,
    choice: argparse.Namespace,
    warnings: Sequence[str] = (),
) -> str:
    """The whole page; `run` is a row of table `run`, `models` the run's table `reward_model`."""
    lines = [
        f"# What the run {_text(str(run['run_id']))} says",
        "",
        *_header(run, models, study, choice),
        *_undefined_prompts(study),
        *(f"- **Warning**: {warning}" for warning in warnings),
        *_rulings(claims),
        "",
    ]
    lines += ["| claim | policies | figure (95 % interval) | verdict |", "| --- | --- | --- | --- |"]
    for place, claim in enumerate(claims, 1):
        link = f"[{place}. {claim.title}](#{claim.name})"
        lines += [
            f"| {link} | {_text(r.about)} | {_text(r.figure)} {_cell(r.estimate)} | **{r.verdict}** |"
            for r in claim.findings
        ]
        if claim.missing:
            lines.append(f"| {link} | | | **{_NOT_IN_THIS_RUN}** |")
    lines += ["", *(f"- **{verdict}**: {meaning}." for verdict, meaning in _MEANING.items())]
    for place, claim in enumerate(claims, 1):
        lines += _section(place, claim, Growth.of(run))
    return "\n".join(lines) + "\n"


def _header(run: Mapping[str, Any], models: pl.DataFrame, study: Study, choice: argparse.Namespace) -> list[str]:
    first = next(iter(study.optimised.values()))
    _, P, R = first.cube.scores_MPR.shape
    responses = counts(int(first.cube.counts_P.min()), R, "response")
    kinds = models.group_by("kind").len().sort("kind").iter_rows()
    options = f" --replicates {study.replicates}" if study.replicates != 1000 else ""
    options += f" --seed {study.seed}" if study.seed else ""
    options += f" --golden {','.join(choice.golden)}" if choice.golden else ""
    options += f" --output {choice.output}" if choice.output else ""
    roles = first.cube.roles
    goldens = [name for name, golden in zip(first.cube.reward_models, roles.goldens, strict=True) if golden]
    fixed = "" if roles.same else f", with {_text(', '.join(goldens))} as golden"
    versions = ", ".join(f"{name} {version}" for name, version in sorted(json.loads(run["packages"]).items()))
    left_out = sorted({name for optimised in study.optimised.values() for name in optimised.curves.left_out})
    lines = [
        f"Generated by `righttree findings --run {run['run_id']}{options}`; every figure and "
        "every verdict is computed.",
        "",
        f"- Run {_text(str(run['run_id']))}, profile {_text(str(run['profile']))}, seed {run['seed']}, base model "
        f"{_text(str(run['base_model']))}, finished {_text(str(run['finished_at']))}, of code "
        f"{_text(str(run['code_version']))}",
        f"- {count(models.height, 'scorer' if models['role'].count() else 'reward model')}: "
        f"{', '.join(f'{amount} {kind}' for kind, amount in kinds)}{fixed}",
        f"- {count(P, 'RM-test prompt')} × {responses}; "
        f"{count(len(first.values.prompts), 'RL-test prompt')}; "
        f"{' and '.join(optimised.called for optimised in study.optimised.values())}",
        f"- 95 % intervals, B = {study.replicates:,}, seed {study.seed}. A correlation is about *this test set*: how "
        "well the measure, on a test set of this size, predicts what policies are really worth; the noise of their "
        "values is taken off. Its interval is Student’s t, from leaving out each reward model and drawing prompts "
        "again. A difference is that of the plain correlations, paired; a claim that takes noise off it says so. Other "
        "figures have percentiles of the bootstrap.",
    ]
    gains = [name.called for name in study.optimised.values() if unit_of(name.values, name.cube.roles) is not None]
    if gains:
        lines.append(
            f"- No policy of {' or '.join(gains)} was optimised against a golden: where it says NDR of them, it is the "
            "golden gain of the proxy’s policy, in the golden’s standard deviations within prompts."
        )
    shared = shared_prompts(first.cube.prompts, first.values.prompts)
    lines += [f"- {line[0].upper()}{line[1:]}" for line in cautions(int(roles.proxy_M.sum()), shared)]
    lines += [f"- Versions: {_text(versions)}"] if versions else []
    lines += [f"- Left out, without policies at every strength: {_text(', '.join(left_out))}"] if left_out else []
    return lines


def _undefined_prompts(study: Study) -> list[str]:
    """Policies by weighting that are defined on a part of the prompts only."""
    return [
        f"- {of.called[:1].upper()}{of.called[1:]} is defined on {len(of.values.prompts):,} of "
        f"{count(len(of.samples.prompts), 'RL-test prompt')}; the others have too few samples for it."
        for name, of in study.optimised.items()
        if name in BY_WEIGHTING and of.samples is not None and len(of.values.prompts) < len(of.samples.prompts)
    ]


def _rulings(claims: Sequence[Claim]) -> list[str]:
    """How many rulings the page makes, how they ended, how many would hold by chance, and what would tell the rest."""
    verdicts: list[Verdict] = [
        finding.verdict for claim in claims for finding in claim.findings if finding.verdict != "undefined"
    ]
    rulings, missed = len(verdicts), round(1.0 - LEVEL, 6)
    one_side, both = (f"{rulings} × {100 * share:g} % = {number(rulings * share, 1)}" for share in (missed / 2, missed))
    lines = [
        f"- Rulings: {rulings}. {verdicts.count('holds')} hold, {verdicts.count('refuted')} are refuted, "
        f"{verdicts.count(CANNOT_BE_TOLD)} cannot be told at this size. By chance {one_side} would hold if nothing "
        "were true, every true figure being at the bound of its claim: a 95 % interval then misses it in "
        f"{100 * missed:g} % of studies, half of them on the claim’s side (if all claims held in either direction: "
        f"{both}). These are expected numbers, whether or not rulings depend on one another."
    ]
    open_ones = [
        finding.resolution for claim in claims for finding in claim.findings if finding.verdict == CANNOT_BE_TOLD
    ]
    return [*lines, f"- {resolving.how_many(open_ones)}"] if open_ones else lines


def _section(place: int, claim: Claim, growth: Growth | None) -> list[str]:
    lines = ["", f'<a id="{claim.name}"></a>', "", f"## {place}. {claim.title}", "", claim.rule]
    lines += ["", "Beyond the paper."] if claim.beyond_paper else []
    lines.append("")
    if claim.missing:
        lines.append(f"**Not in this run**: {claim.missing}.")
    for finding in claim.findings:
        why = f" ({_text(finding.why)})" if finding.why else ""
        lines.append(
            f"- {_text(finding.about)}: **{finding.verdict}**{why}. {_text(finding.figure)} {_cell(finding.estimate)}"
        )
        if finding.resolution:
            most = finding.facts.get(MOST_FLIPPED)
            text = resolving.sentence(finding.resolution, growth, most if isinstance(most, float) else 1.0)
            lines.append(f"  - {text}")
    for table in claim.tables:
        lines += _table(table)
    if claim.setting:
        lines += ["", f"**In which respect the settings differ.** {_text(claim.setting)}"]
    if claim.findings:
        lines += ["", " ".join([f"Resampled: {claim.resampled}.", *map(str, claim.notes)])]
    return lines


def _table(table: Table) -> list[str]:
    rows = ["| " + " | ".join(map(_cell, row)) + " |" for row in (table.header, *table.rows)]
    return ["", f"{_text(table.title)}:", "", rows[0], "|" + " --- |" * len(table.header), *rows[1:]]


def _cell(cell: Cell) -> str:
    if isinstance(cell, Estimate):
        return _estimate(cell)
    if isinstance(cell, str):
        return _text(cell)
    if isinstance(cell, int):
        return f"{cell:,}"
    if cell is None:
        return ""
    return number(cell, digits=3 if 0 < abs(cell) < 0.01 else 2)  # a small p-value is not 0.00


def _estimate(estimate: Estimate) -> str:
    """`0.60 (0.31 to 0.89)`, or `0.60 (0.31 and up)` if the upper end is beyond the data."""
    if estimate.value is None:
        return "undefined"
    if estimate.low is None:
        return f"{number(estimate.value)} (no interval)"
    high = "and up" if estimate.high is None else f"to {number(estimate.high)}"
    return f"{number(estimate.value)} ({number(estimate.low)} {high})"


def _text(text: str) -> str:
    """Text on one line with Markdown escaped, as names may come from a user."""
    return _MARKED.sub(r"\\\1", " ".join(text.split()))
