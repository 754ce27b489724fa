"""`app/run_frames.py`: two runs beside each other."""

from __future__ import annotations

from app import run_frames, run_wording
from tests.app.small import evaluation

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
    assert run_frames.differing(FACTS, other).rows() == [
        ("test.rl_test_samples", "8", "16"),
        ("new", run_frames.ABSENT, "1"),
        ("packages.torch", "2", run_frames.ABSENT),
    ]
    assert run_frames.differing(FACTS, FACTS).is_empty()


def test_stages_of_both_runs_stand_below_one_another() -> None:
    stages = run_frames.stages({"a": FACTS, "b": {**FACTS, "timings": {}}})
    assert stages.rows() == [("a", "scores", 3.5, 7, "prompts", 9)]
    assert run_frames.stages({"b": {"timings": {}}}).is_empty()


def test_headlines_say_what_they_are_of_and_what_is_left_out() -> None:
    found = {"a": {"bon": evaluation()}, "b": {"bon": evaluation(undefined_golden=0)}, "c": {}}
    policies = {("a", "bon"): "best-of-8", ("b", "bon"): "best-of-16"}
    frame = run_frames.headlines(found, policies)
    assert frame.select("run_id", "policies", "value", "low", "high", "pairs", "undefined").rows() == [
        ("a", "best-of-8", 0.5, 0.1, 0.8, 6, 0),
        ("b", "best-of-16", 0.5, 0.1, 0.8, 4, 2),
    ]
    note = run_wording.headlines(frame, ["a", "b", "c"])
    assert "resampling reward models × prompts" in note
    assert "b, best-of-16: 2 pairs undefined and left out" in note
    assert "c has no two reward models with optimised policies" in note
    assert run_frames.headlines({"c": {}}, {}).is_empty()


def test_what_is_changed_is_named_and_a_whole_ppo_as_one() -> None:
    config = {"seed": 0, "ppo": {"steps": 2, "checkpoints": [1, 2]}}
    assert run_frames.changed(config, config) == []
    assert run_frames.changed(config, {"seed": 1, "ppo": {"steps": 3, "checkpoints": [1, 2]}}) == ["seed", "ppo.steps"]
    assert run_frames.changed(config, {"seed": 1, "ppo": None}) == ["seed", "ppo"]
    assert run_frames.changed({"seed": 0, "ppo": None}, config) == ["ppo"]


def test_the_last_run_of_a_profile_says_what_it_took_and_what_is_other_now() -> None:
    manifest = {"run_id": "quick-1", "wall_s": 125.0, "stages": {"scores": {"peak_resident_bytes": 2**30}}}
    said = run_wording.last_time(manifest, 3 * 2**20, 5 * 2**30, [f"s{number}" for number in range(6)])
    assert said.replace("\\", "") == (
        "The last run of this profile, quick-1, took 2 min 05 s of work, up to 1.0 GiB of memory, 3 MiB on the disk "
        "(5.0 GiB are free). Settings that differ from it: s0, s1, s2, s3 and 2 more."
    )
    assert "differ" not in run_wording.last_time(manifest, 0, 0, [])
