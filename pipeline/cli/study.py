"""Commands that print what runs have shown, without a browser: choose, predict, measure, power and findings."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from pipeline.cli import AddCommand, add_option
from pipeline.runs import exchange
from warehouse import store
from warehouse.formats import names_in
from warehouse.metrics.test_set import TestSet
from warehouse.study.power import DIFFERENCES, POWER


def add(command: AddCommand) -> None:
    """`choose`, `predict`, `measure`, `power` and `findings`."""
    _add_choose(command)
    _add_predict(command)
    measure = command(
        "measure",
        "print how well a metric of reward models predicts the regret of the optimised policy",
        "righttree measure --measure accuracy --optimizer bon --n 8 --category Chat",
        _measure,
    )
    _add_run(measure)
    _add_golden(measure)
    add_option(measure, "--measure", "NAME", "metric of the reward models, or all", default="accuracy")
    add_option(measure, "--compare", "A,B", "compare two metrics by the paired difference of their correlations")
    outcome = "how well it predicts an outcome of the reward models, measured elsewhere, instead of the regret"
    add_option(measure, "--outcome", "NAME", outcome)
    add_option(
        measure,
        "--optimizer",
        "NAME",
        "optimiser of the policies: bon, tilted, ppo, …",
        default="bon",
    )
    degree = measure.add_mutually_exclusive_group()
    degree.add_argument(
        "--n",
        "--strength",
        dest="strength",
        type=float,
        metavar="N",
        help="n of best-of-n, λ of tilted, or PPO step (default: the largest)",
    )
    add_option(degree, "--kl", "NATS", "compare policies at this KL, interpolating between strengths", float)
    add_option(measure, "--kl-coefficient", "C", "KL penalty of PPO (default: the profile's main one)", float)
    levels = "correlate over all pairs, or within each golden model (default: pooled)"
    measure.add_argument("--level", choices=("pooled", "within"), default="pooled", help=levels)
    add_option(measure, "--category", "NAME", "category of the RM-test prompts, or all", default="all")
    add_option(measure, "--subset", "NAME", "subset of the RM-test prompts; may be repeated", action="append")
    add_option(measure, "--rl-category", "NAME", "category of the RL-test prompts, or all", default="all")
    add_option(measure, "--source", "A[,B…]", "policies whose responses are judged, or ppo", default="initial")
    add_option(measure, "--paraphrase", "SHARE", "share of RM-test prompts to paraphrase", float, default=0.0)
    for field in fields(TestSet):
        if field.metadata:
            measure.add_argument(f"--{field.name.replace('_', '-')}", **field.metadata)
    whole = "with --responses: leave out prompts that have fewer (default: they keep what they have)"
    measure.add_argument("--whole", action="store_true", help=whole)
    _add_bootstrap(measure)
    measure.add_argument("--json", action="store_true", help="print one JSON object")
    add_option(measure, "--export", "FILE", "also write a .json, .csv or .parquet file", Path)

    _add_power(command)

    findings = command(
        "findings",
        "write the verdict on each claim about reward models, with figures and intervals, for one run",
        "righttree findings --output findings.md",
        _findings,
    )
    _add_run(findings)
    _add_golden(findings)
    add_option(findings, "--output", "FILE", "Markdown file to write (default: print the page)", Path)
    _add_bootstrap(findings)


def _add_choose(command: AddCommand) -> None:
    choose = command(
        "choose",
        "say which reward model to take: ranks, groups that cannot be told apart, intervals, and what would tell more",
        "righttree choose --by bon --n 4 --category Safety",
        _choose,
    )
    _add_run(choose)
    golden = "scorers that count as the truth (default: those that are golden only, such as labels; else all others)"
    add_option(choose, "--golden", "NAME[,…]", golden)
    what = choose.add_mutually_exclusive_group()
    add_option(what, "--by", "NAME", "bon, tilted, another optimiser of the run, or a metric", default="bon")
    add_option(what, "--outcome", "NAME", "rank by an outcome of the run that was measured elsewhere, such as Elo")
    degree = choose.add_mutually_exclusive_group()
    strength = (
        "n of best-of-n (default: half of the samples, all of fewer than 8), λ of tilted, or PPO step (default: the "
        "largest)"
    )
    degree.add_argument("--n", "--strength", dest="strength", type=float, metavar="N", help=strength)
    add_option(degree, "--kl", "NATS", "compare policies at this KL, interpolating between strengths", float)
    add_option(choose, "--category", "NAME", "category of the prompts; may be repeated (default: all)", action="append")
    add_option(choose, "--subset", "NAME", "subset of the prompts; may be repeated (default: all)", action="append")
    add_option(choose, "--seed", "S", "seed for what intervals and groups allow for by chance", int, default=0)
    choose.add_argument("--json", action="store_true", help="print one JSON object")


def _add_predict(command: AddCommand) -> None:
    predict = command(
        "predict",
        "predict the regret of the policies of a reward model from its RM-test scores, before any is optimised",
        "righttree predict my-rm --run RUN",
        _predict,
    )
    predict.add_argument("name", metavar="NAME", help="the reward model; if it has policies, they are not used")
    _add_run(predict)
    golden = "scorers that count as the truth (default: those that are golden only, such as labels; else all others)"
    add_option(predict, "--golden", "NAME[,…]", golden, names_in, default=())
    add_option(predict, "--seed", "S", "seed for which goldens clearly gain, in bootstrap replicates", int, default=0)
    predict.add_argument("--json", action="store_true", help="print one JSON object")


def _add_power(command: AddCommand) -> None:
    power = command(
        "power",
        "print how many prompts and responses tell two reward models apart, in a metric and in their policies",
        "righttree power --first flip-0.00 --second flip-0.10 --difference 0.02",
        _power,
    )
    _add_run(power)
    best = "(default: the {} by accuracy, averaged over all others as golden)"
    add_option(power, "--first", "A", f"reward model {best.format('best')}")
    add_option(power, "--second", "B", f"reward model to compare it with {best.format('best other one')}")
    add_option(
        power, "--golden", "G", "scorer that counts as the truth (default: averaged over all others that are golden)"
    )
    add_option(power, "--measure", "NAME", "metric of the reward models", default="accuracy")
    add_option(
        power,
        "--optimizer",
        "NAME",
        "optimiser of the policies: bon, tilted, ppo, …",
        default="bon",
    )
    strength = (
        "n of best-of-n (default: the largest with 2n samples per prompt), λ of tilted, or PPO step (default: the "
        "largest)"
    )
    power.add_argument("--n", "--strength", dest="strength", type=float, metavar="N", help=strength)
    differences = ", ".join(map(str, DIFFERENCES))
    difference = f"difference to show, a share such as 0.02; may be repeated (default: {differences})"
    add_option(power, "--difference", "D", difference, float, action="append")
    add_option(power, "--power", "SHARE", "probability of showing a difference that is there", float, default=POWER)
    add_option(power, "--seed", "S", "seed for choosing subsets of the responses", int, default=0)
    power.add_argument("--json", action="store_true", help="print one JSON object")


def _add_run(parser: argparse.ArgumentParser) -> None:
    add_option(parser, "--run", "RUN", "id of the run (default: the pinned one, else the recorded one)")


def _add_golden(parser: argparse.ArgumentParser) -> None:
    goldens = "scorers that count as the truth, such as label (default: every reward model in turn)"
    add_option(parser, "--golden", "NAME[,…]", goldens, names_in, default=())


def _add_bootstrap(parser: argparse.ArgumentParser) -> None:
    altered = "altered studies (prompts drawn again, noise added, reward models renamed) for intervals and p-values"
    add_option(parser, "--replicates", "B", altered, int, default=1000)
    seed = "seed for replicates, for halves of prompts, for choosing prompts and paraphrases, and for simulated noise"
    add_option(parser, "--seed", "S", seed, int, default=0)


def _measure(arguments: argparse.Namespace) -> int:
    from pipeline.cli.measures.ndr import report

    exchange.provide_recorded(store.home())
    print(report(store.home(), arguments))
    return 0


def _choose(arguments: argparse.Namespace) -> int:
    from pipeline.cli.choices.worth import report

    exchange.provide_recorded(store.home())
    print(report(store.home(), arguments))
    return 0


def _predict(arguments: argparse.Namespace) -> int:
    from pipeline.cli.choices.predicted import report

    exchange.provide_recorded(store.home())
    print(report(store.home(), arguments))
    return 0


def _power(arguments: argparse.Namespace) -> int:
    from pipeline.cli.power import report

    exchange.provide_recorded(store.home())
    print(report(store.home(), arguments))
    return 0


def _findings(arguments: argparse.Namespace) -> int:
    from pipeline.cli.findings import findings

    exchange.provide_recorded(store.home())
    print(findings(store.home(), arguments))
    return 0
