"""The whole audit on a test set with planted faults, and how subsets predict what policies lose."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.faulty import FaultySet, faulty_set
from warehouse.study.audit.audit import Audit, audited, default_goldens
from warehouse.study.audit.items import FAULTS, REASONS
from warehouse.study.outcomes.outcome import outcome


@pytest.fixture(scope="module")
def faulty() -> FaultySet:
    return faulty_set(20)


@pytest.fixture(scope="module")
def of_labels(faulty: FaultySet) -> Audit:
    return audited(faulty.cube(), None, faulty.texts, replicates=200)


@pytest.fixture(scope="module")
def with_policies(faulty: FaultySet) -> Audit:
    return audited(faulty.cube(labelled=False), faulty.values(), faulty.texts, replicates=400)


def test_labels_are_the_goldens_unless_others_are_chosen(faulty: FaultySet, of_labels: Audit) -> None:
    assert default_goldens(faulty.cube()) == ("label",)
    assert of_labels.right.golden_names == ("label",)
    chosen = audited(faulty.cube().with_goldens(("rm-19",)), replicates=50)
    assert chosen.right.golden_names == ("rm-19",)
    assert default_goldens(faulty.cube(labelled=False)) == ()


def test_planted_faults_are_named_and_little_else(faulty: FaultySet, of_labels: Audit) -> None:
    flags = of_labels.flags
    for name in ("redundant", "same responses", "undefined"):
        assert set(np.flatnonzero(flags[name]).tolist()) == faulty.faults[name]
    suspects = set(np.flatnonzero(flags["suspect label"]).tolist())
    assert len(suspects & faulty.faults["suspect label"]) >= 3
    assert len(suspects - faulty.faults["suspect label"]) <= 1


def test_the_worst_items_come_first_and_easy_ones_are_no_fault(of_labels: Audit) -> None:
    worst, reasons = of_labels.worst(), of_labels.reasons()
    ranks = [list(REASONS).index(reasons[p][0]) for p in worst]
    assert ranks == sorted(ranks)
    assert {p for p, names in enumerate(reasons) if set(names) & set(FAULTS)} == set(worst.tolist())
    assert any(names == ("all right",) for names in reasons)


def test_a_subset_of_noise_predicts_nothing_and_less_than_the_whole(with_policies: Audit) -> None:
    predictions = {
        audit.group.subset or audit.group.category or "all": prediction
        for audit, prediction in zip(with_policies.subsets, with_policies.predictions, strict=True)
        if prediction is not None
    }
    assert predictions["all"].difference is None
    noise, plain = predictions["noise"], predictions["plain"]
    assert noise.p_value is not None
    assert noise.p_value > 0.05
    assert plain.p_value is not None
    assert plain.p_value < 0.05
    assert noise.difference is not None
    assert noise.difference.high is not None
    assert noise.difference.high < 0.0
    assert (plain.correlation.value or 0.0) > (noise.correlation.value or 0.0) + 0.4
    assert plain.quantity == "ndr"


def test_the_same_seed_gives_the_same_audit(faulty: FaultySet, of_labels: Audit) -> None:
    again = audited(faulty.cube(), None, faulty.texts, replicates=200)
    assert again.reasons() == of_labels.reasons()
    assert [audit.apart for audit in again.subsets] == [audit.apart for audit in of_labels.subsets]


def test_few_reward_models_are_said_to_be_few() -> None:
    faulty = faulty_set(5, each=20)
    few = audited(faulty.cube(), replicates=50)
    assert not few.enough_models
    assert not few.flags["suspect label"].any()


def test_subsets_are_tested_together_for_predicting_an_outcome(faulty: FaultySet) -> None:
    cube = faulty.cube()
    names = cube.reward_models[:-1]
    rising, shuffled = np.arange(20.0), np.random.default_rng(1).permutation(20)
    p_values = {}
    for name, values in (("rising", rising), ("shuffled", shuffled)):
        audit = audited(cube, outcome=outcome(name, values.tolist(), names), replicates=100)
        parts = zip(audit.subsets, audit.predictions, strict=True)
        p_values[name] = {audit.group.subset: part.p_value for audit, part in parts if part is not None}
    assert (p_values["rising"]["plain"] or 0.0) < 0.01 < 0.05 < (p_values["rising"]["noise"] or 0.0)
    assert min(p for p in p_values["shuffled"].values() if p is not None) > 0.05
    assert p_values["rising"]["easy"] is None
