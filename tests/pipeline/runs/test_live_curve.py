"""A curve can be read while it grows, and a resumed training writes no point twice."""

from __future__ import annotations

from pathlib import Path

from pipeline import runs
from pipeline.config import load_profile
from pipeline.runs import jobs
from pipeline.runs.live_curve import LiveCurve, read_points


def test_others_can_read_the_points_and_a_resumed_curve_is_cut_back(tmp_path: Path) -> None:
    run = runs.create(tmp_path, load_profile("smoke"), "run")
    assert jobs.live_curves(tmp_path, "run").is_empty()
    curve = LiveCurve(run, "ppo/flip-0.00", "flip-0.00")
    curve.begin(0)
    for step in range(3):
        curve.add(step, {"reward": float(step), "kl_k3": 0.5})
    assert jobs.live_curves(tmp_path, "run").rows()[-2:] == [
        ("ppo/flip-0.00", "reward", 2, 2.0),
        ("ppo/flip-0.00", "kl_k3", 2, 0.5),
    ]
    curve.add(1, {"test_kl_k3": 0.25})
    again = LiveCurve(run, "ppo/flip-0.00", "flip-0.00")
    again.begin(1)
    again.add(1, {"reward": 7.0})
    assert again.frame()["value"].to_list() == [0.0, 0.5, 0.25, 7.0]
    again.close()
    assert jobs.live_curves(tmp_path, "run").is_empty()


def test_an_unfinished_line_is_ignored() -> None:
    line = '{"model_id": "m", "metric": "reward", "step": 1, "value": 2.0}'
    assert read_points(line + "\n" + line[:20]).rows() == [("m", "reward", 1, 2.0)]
