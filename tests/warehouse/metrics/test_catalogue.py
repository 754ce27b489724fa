"""The measures, correlations and optimisers by name, and the words for them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.warehouse.study.simulate import cube_of
from warehouse.errors import UnknownName
from warehouse.metrics.catalogue import CORRELATION_WORDS, optimizer_words
from warehouse.study import CORRELATIONS, MEASURES, prepare


def test_the_menu_is_in_the_order_of_the_method_and_explains_itself() -> None:
    assert list(MEASURES) == [
        *("accuracy", "accuracy_pair", "pearson", "spearman", "kendall", "xi", "bo_r", "mrr", "ndcg"),
        *("ece", "brier", "log_loss", "margin_accuracy", "reward_variance"),
    ]
    assert all(measure.title and measure.help.endswith(".") for measure in MEASURES.values())


def test_an_unknown_measure_is_refused_by_name() -> None:
    with pytest.raises(UnknownName, match=r"no measure 'acc'; there are accuracy, "):
        prepare(cube_of(np.zeros((2, 3, 2))), "acc")


def test_every_measure_says_how_it_is_written_and_whether_it_is_negated() -> None:
    rng = np.random.default_rng(3)
    cube = cube_of(rng.standard_normal((3, 30, 4)))
    for name, measure in MEASURES.items():
        assert measure.negated == ("negated" in measure.title) == measure.help.startswith("Minus")
        assert measure.axis.startswith(measure.title)
        assert f"{1 / 3:{measure.format}}" == f"{1 / 3:.{measure.digits}f}"
        pair = prepare(cube, name).overall(np.ones((1, 30)))[0]
        assert (pair <= 0).all() if measure.negated else (pair > -1).all()


def test_every_correlation_has_its_words_and_an_unknown_optimizer_its_own_name() -> None:
    assert tuple(CORRELATION_WORDS) == CORRELATIONS
    assert optimizer_words("bon").at.format("16") == "best-of-16"
    assert optimizer_words("tilted").at.format("0.5") == "tilted at λ = 0.5"
    assert optimizer_words("annealed").title == "annealed"
