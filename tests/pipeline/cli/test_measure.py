"""`righttree measure` on simulated runs: figures of zero are figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import build_parser, main
from pipeline.cli import measure
from tests.helpers.study import Study, publish
from tests.warehouse.study.simulate import study
from warehouse.study import TestSet, evaluate


def found(name: str, tau: float | None) -> dict[str, Any]:
    cube, values = study(M=3, P=8, Q=8)
    about = {
        "run": "r",
        "optimizer": "bon",
        "strength": 16.0,
        "level": "pooled",
        "source": "initial",
        "paraphrase": 0.0,
    }
    shown = measure.as_json(about, cube.reward_models, evaluate(cube, values, replicates=2))
    return shown | {"measure": name, "kendall": {"value": tau, "low": tau, "high": tau}}


def test_measures_are_sorted_by_tau_and_those_without_one_come_last() -> None:
    taus = {"negative": -0.9, "undefined": None, "zero": 0.0, "positive": 0.4}
    lines = measure._table_text([found(name, tau) for name, tau in taus.items()]).splitlines()
    assert [line.split()[0] for line in lines[-4:]] == ["positive", "zero", "negative", "undefined"]


def test_a_strength_of_zero_can_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(publish(tmp_path, Study(ppo_steps=(0, 5)))))
    for strength in (0.0, 5.0):
        options = ["--optimizer", "ppo", "--strength", str(strength), "--replicates", "5", "--json"]
        assert main(["measure", *options]) == 0
        assert json.loads(capsys.readouterr().out)["strength"] == strength


def test_every_construction_of_a_test_set_is_an_option() -> None:
    given = {"responses": 4, "budget": 40, "rank_bins": 3, "chosen_bin": 3, "rejected_bin": 1, "noise": 0.25}
    options = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    choice = build_parser().parse_args(["measure", *options, "--category", "Chat", "--subset", "a", "--seed", "7"])
    test_set = measure.test_set_of(choice)
    assert test_set == TestSet(categories=("Chat",), subsets=("a",), seed=7, **given)
