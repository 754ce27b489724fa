"""How right each reward model is on each item, against the study's accuracy and counting by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.faulty import faulty_set
from tests.warehouse.study.simulate import cube_of
from warehouse.study import TestSet, prepare
from warehouse.study.audit.right import rights


def test_accuracy_of_an_item_is_that_of_the_study_averaged_over_goldens() -> None:
    rng = np.random.default_rng(0)
    cube = cube_of(np.round(rng.normal(size=(5, 40, 4)), 0))  # whole numbers tie often
    values = prepare(cube, "accuracy", TestSet())
    undefined_PC = np.zeros(values.values_TPC.shape[1:], dtype=bool)
    undefined_PC[values.undefined_rows] = values.undefined_UC > 0
    right = rights(cube)
    for m in range(5):
        columns = [values.column_MM[g, m] for g in range(5) if g != m]
        share_PG, defined_PG = values.values_TPC[0][:, columns], ~undefined_PC[:, columns]
        expected = share_PG.sum(axis=1, where=defined_PG) / np.maximum(defined_PG.sum(axis=1), 1)
        np.testing.assert_allclose(right.right_MP[m], expected, atol=1e-6)
        np.testing.assert_array_equal(right.defined_MP[m], defined_PG.any(axis=1))
    assert not right.fixed


def test_with_a_label_only_the_label_judges_and_padding_counts_for_nothing() -> None:
    faulty = faulty_set(4, each=20)
    cube = faulty.cube().with_goldens(("label",))
    right = rights(cube)
    padded = replace(cube, scores_MPR=np.where(cube.is_response_PR, cube.scores_MPR, 7.0).astype(np.float32))
    np.testing.assert_array_equal(rights(padded).right_MP, right.right_MP)
    assert right.golden_names == ("label",)
    assert right.fixed
    assert right.reward_models == cube.reward_models[:-1]
    label_PR = cube.scores_MPR[-1]
    for p in range(len(cube.prompts)):
        count = int(cube.counts_P[p])
        chosen, rejected = (np.flatnonzero(label_PR[p, :count] == value) for value in (1.0, 0.0))
        if not len(rejected):
            assert not right.defined_MP[:, p].any()
            continue
        wins = [
            float(scores[i] > scores[j]) + 0.5 * float(scores[i] == scores[j])
            for scores in [cube.scores_MPR[2, p]]
            for i in chosen
            for j in rejected
        ]
        assert right.right_MP[2, p] == pytest.approx(np.mean(wins), abs=1e-6)
        ties = [
            cube.scores_MPR[m, p, i] == cube.scores_MPR[m, p, j] for m in range(4) for i in chosen for j in rejected
        ]
        assert right.ties_P[p] == pytest.approx(np.mean(ties), abs=1e-6)


def test_many_items_come_in_blocks_without_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    cube = faulty_set(6, each=15).cube().with_goldens(("label",))
    whole = rights(cube)
    monkeypatch.setattr("warehouse.study.audit.right._BLOCK_ENTRIES", 500)
    blocks = rights(cube)
    np.testing.assert_array_equal(blocks.right_MP, whole.right_MP)
    np.testing.assert_array_equal(blocks.golden_ties_P, whole.golden_ties_P)
