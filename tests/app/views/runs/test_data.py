"""`app/views/runs/data.py`: two runs beside each other."""

from __future__ import annotations

from app.views.runs import data, text
from tests.helpers.small import evaluation

FACTS = {
    "config": {"seed": 0, "test": {"rl_test_samples": 8}, "same": True},
    "code_version": "abc",
    "base_model": "small",
    "packages": {"torch": "2"},
    "host": {"cores": 2},
    "timings": {"scores": {"wall_s": 3.5, "units": 7, "unit": "prompts", "peak_resident_bytes": 9}},
}


def test_only_what_differs_is_listed_the_profile_first() -> None:
    other = {**FACTS, "config": {"seed": 0, "test": {"rl_test_samples": 16}, "same": True, "new": 1}, "packages": {}}
    assert data.differing({"a": FACTS, "b": other}).rows() == [
        ("test.rl_test_samples", "8", "16"),
        ("new", data.ABSENT, "1"),
        ("packages.torch", "2", data.ABSENT),
    ]
    assert data.differing({"a": FACTS, "b": FACTS}).is_empty()
    three = data.differing({"a": FACTS, "b": other, "c": FACTS})
    assert three.columns == ["setting", "a", "b", "c"]
    assert three.rows()[1] == ("new", data.ABSENT, "1", data.ABSENT)


def test_stages_of_both_runs_stand_below_one_another() -> None:
    stages = data.stages({"a": FACTS, "b": {**FACTS, "timings": {}}})
    assert stages.rows() == [("a", "scores", 3.5, 7, "prompts", 9)]
    assert data.stages({"b": {"timings": {}}}).is_empty()


def test_headlines_say_what_they_are_of_and_what_is_left_out() -> None:
    found = {"a": {"bon": evaluation()}, "b": {"bon": evaluation(undefined_golden=0)}, "c": {}}
    policies = {("a", "bon"): "best-of-8", ("b", "bon"): "best-of-16"}
    frame = data.headline_rows(found, policies)
    assert frame.select("run_id", "policies", "value", "low", "high", "pairs", "undefined").rows() == [
        ("a", "best-of-8", 0.5, 0.1, 0.8, 6, 0),
        ("b", "best-of-16", 0.5, 0.1, 0.8, 4, 2),
    ]
    note = text.headlines(frame, ["a", "b", "c"])
    assert "noise ceiling" in note
    assert "leaving out each reward model in turn (jackknife)" in note
    assert "b, best-of-16: 2 pairs undefined and left out" in note
    assert "c has no two reward models with optimised policies" in note
    assert data.headline_rows({"c": {}}, {}).is_empty()


def test_nested_settings_are_laid_flat() -> None:
    flat = data.flattened({"profile": "smoke", "test": {"responses": 5, "rates": [0.0, 0.2]}})
    assert flat.rows() == [("profile", "smoke"), ("test.responses", "5"), ("test.rates", "[0.0, 0.2]")]


def test_stage_timings_keep_the_order_of_the_run() -> None:
    manifest = {"stages": {"prompts": {"wall_s": 0.5, "units": 48, "unit": "prompts"}, "scores": {"wall_s": 2}}}
    assert data.stage_timings(manifest).select("stage", "wall_s", "units").rows() == [
        ("prompts", 0.5, 48),
        ("scores", 2.0, 0),
    ]
