"""`claims/constructions.py` on studies in which the test set is known to matter, or not to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.warehouse.claims.studies import of_noise, optimised, study, verdicts
from tests.warehouse.study.simulate import CATEGORIES, normal_scores
from warehouse.claims.claim import Optimised
from warehouse.claims.constructions import (
    budget_on_responses,
    category_matters,
    more_responses,
    paraphrases,
    rank_matters,
)

GROWING = np.linspace(0.2, 3.0, 8)
OPEN = "cannot be told at this size"


def by_category(*, shuffled: bool, each: int = 80) -> Optimised:
    """Reward models whose noise is another in every category, or the same; categories come by turns."""
    rng = np.random.default_rng(3)
    K = len(CATEGORIES)
    sides = []
    orders = [rng.permutation(8) if shuffled else np.arange(8) for _ in CATEGORIES]
    for size in (8, 16):
        scores = np.empty((8, each * K, size))
        for category, order in enumerate(orders):
            scores[:, category::K] = normal_scores(rng, GROWING[order], each, size)
        sides.append(scores)
    return optimised(*sides)


def test_the_own_category_predicts_better_where_reward_models_are_good_at_different_ones() -> None:
    claim = category_matters(study(by_category(shuffled=True)))
    assert verdicts(claim) == ["holds"]
    assert [row[0] for row in claim.tables[0].rows] == [*sorted(CATEGORIES), "undefined pairs"]
    assert verdicts(category_matters(study(by_category(shuffled=False, each=1000)))) == ["refuted"]
    assert verdicts(category_matters(study(of_noise(np.full(5, 1.2), P=24, Q=24)))) == [OPEN]


def test_a_run_of_one_category_has_nothing_to_say_of_categories() -> None:
    one = of_noise(GROWING, P=20, Q=20)
    alone = replace(one, cube=replace(one.cube, categories=("Chat",) * 20))
    assert category_matters(study(alone)).missing == "it has 1 category with prompts on both sides"


def test_ranks_matter_where_all_tell_good_from_bad_responses_and_none_tells_the_good_from_each_other() -> None:
    """Half of a prompt's responses are good; in between, each reward model has its own noise and nothing else."""
    rng = np.random.default_rng(4)
    noise = np.linspace(0.3, 1.5, 10)
    good = np.where(rng.standard_normal((400, 8)).argsort(axis=1) < 4, -1.0, 1.0)
    scores = good + noise[:, None, None] * rng.standard_normal((10, 400, 8))
    claim = rank_matters(study(optimised(scores, normal_scores(rng, 2 * noise, 400, 16))))
    assert verdicts(claim) == ["holds"]
    assert claim.findings[0].estimate.value is not None
    assert claim.findings[0].estimate.value > 0.4
    assert len(claim.tables[0].rows) == 1 + 6
    same = of_noise(np.linspace(0.2, 3.0, 6), P=1500, Q=600, R=8)
    assert verdicts(rank_matters(study(same))) != ["holds"]
    assert rank_matters(study(of_noise(GROWING, P=20, Q=20, R=5))).missing


def test_more_responses_to_few_prompts_predict_better_and_many_prompts_need_no_more() -> None:
    noise = np.linspace(0.4, 1.6, 10)
    assert verdicts(more_responses(study(of_noise(noise, P=40, R=24, Q=800)))) == ["holds"]
    assert verdicts(more_responses(study(of_noise(np.geomspace(0.05, 6.0, 14), P=4000, R=4, Q=1000)))) == ["refuted"]
    few = more_responses(study(of_noise(np.full(5, 1.0), P=10, R=4, Q=10)))
    assert verdicts(few) == [OPEN]
    assert "4 responses to a prompt cost R(R−1)/2 = 6 comparisons against 1" in few.notes[0]
    assert more_responses(study(of_noise(GROWING, P=20, R=2, Q=20))).missing


def test_a_budget_on_few_prompts_is_ill_spent_where_prompts_differ_more_than_responses() -> None:
    """On half of the prompts, drawn for each reward model, it says nothing: many prompts average that out."""
    rng = np.random.default_rng(8)
    noise = np.linspace(0.4, 1.2, 10)
    scores = normal_scores(rng, noise, 240, 12)
    silent = rng.random((10, 240)) < 0.5
    scores[silent] = rng.standard_normal((int(silent.sum()), 12))
    one = optimised(scores, normal_scores(rng, noise, 600, 16))
    claim = budget_on_responses(study(one))
    assert verdicts(claim)[0] != "holds"
    assert [finding.about for finding in claim.findings] == [
        "best-of-16, without noise",
        "best-of-16, 20% of pairs flipped",
    ]
    for table in claim.tables:
        assert all(480 - row[0] < row[0] * row[1] <= 480 for row in table.rows)  # type: ignore[operator]
    assert claim.tables[0].rows[0][2] != claim.tables[1].rows[0][2]
    assert budget_on_responses(study(of_noise(GROWING, P=20, R=2, Q=20))).missing


def test_paraphrases_predict_worse_where_they_turn_the_reward_models_round_and_no_worse_where_they_are_the_same() -> (
    None
):
    rng = np.random.default_rng(6)
    scores = normal_scores(rng, GROWING, 200, 6)
    turned = normal_scores(rng, GROWING[::-1], 200, 6)
    samples = normal_scores(rng, GROWING, 200, 16)
    assert verdicts(paraphrases(study(optimised(scores, samples, paraphrased_MPR=turned)))) == ["holds"]
    assert verdicts(paraphrases(study(optimised(scores, samples, paraphrased_MPR=scores)))) == ["refuted"]
    assert paraphrases(study(optimised(scores, samples))).missing


def test_paraphrases_with_fewer_responses_are_compared_with_as_many_responses_to_the_prompts_themselves() -> None:
    rng = np.random.default_rng(6)
    scores, samples = normal_scores(rng, GROWING, 200, 6), normal_scores(rng, GROWING, 200, 16)
    claim = paraphrases(study(optimised(scores, samples, paraphrased_MPR=scores[:, :, :2])))
    assert verdicts(claim) == ["refuted"]
    assert claim.findings[0].estimate.value == 0


def test_an_annotator_who_cannot_flip_so_many_of_very_few_pairs_leaves_the_rest_of_the_claim() -> None:
    claims = [budget_on_responses(replace(study(of_noise(GROWING, P=4, Q=20, R=4)), seed=seed)) for seed in range(8)]
    undecided = [claim for claim in claims if any("can flip" in finding.why for finding in claim.findings)]
    assert undecided
    for claim in undecided:
        without, flipped = claim.findings
        assert without.why == ""
        assert (flipped.estimate.value, flipped.verdict) == (None, "undefined")
