"""Plans: their arithmetic redone from what is printed, its constants measured on the embedded model."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
import torch
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

from pipeline.__main__ import build_parser, main
from pipeline.backends.openrlhf.launch import PYTHON
from pipeline.config import EMBEDDED_MODEL, Config, load_profile, profile_names
from pipeline.cost import estimate
from pipeline.cost.command import Plan, planned, text
from pipeline.cost.model_size import KNOWN, model_size
from pipeline.cost.needs import GPUS, needs
from pipeline.errors import InvalidConfig, InvalidSetting
from pipeline.models.embedded import provision
from pipeline.models.language_model import LanguageModel, load
from pipeline.models.reward_model import RewardModel
from pipeline.stages import STAGES
from pipeline.stages.prompts import choose

_NUMBER = re.compile(r"^[\d,.]+(e-?\d+)?")


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return load(EMBEDDED_MODEL)


def plan(*options: str, profile: str = "paper", config: Config | None = None) -> Plan:
    chosen = build_parser().parse_args(["run", "--profile", profile, "--plan", *options])
    return planned(config or load_profile(profile), chosen)


def number(text: str) -> float:
    found = _NUMBER.match(text.strip())
    assert found, text
    return float(found[0].replace(",", ""))


@pytest.mark.parametrize("profile", profile_names())
def test_every_profile_has_a_plan_and_nothing_is_started(
    profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main(["run", "--profile", profile, "--seed", "3", "--plan"]) == 0
    page = capsys.readouterr().out
    assert f"  command: righttree run --profile {profile} --seed 3\n" in page
    assert f"  stages:  {', '.join(STAGES)}\n" in page
    assert f"  model:   {load_profile(profile).policy.model}: " in page
    assert "this machine\n" in page
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("profile", ["paper", "recorded"])
def test_what_is_printed_is_what_was_multiplied(profile: str, tmp_path: Path) -> None:
    chosen = build_parser().parse_args(["run", "--profile", profile, "--gpu", "a100", "--gpus", "4"])
    page = text(tmp_path, planned(load_profile(profile), chosen), chosen).splitlines()
    hours, side_by_side = [], 0.0
    for line, following in pairwise(page):
        if re.match(r"    \S.*: .* × .* = ", line):
            factors, result = line.split(": ", 1)[1].rsplit(" = ", 1)
            made = math.prod(number(factor) for factor in factors.split(" × "))
            if result.endswith(" GB"):
                assert number(result) == pytest.approx(made / 1e9, rel=0.01, abs=0.051)
                continue
            assert number(result) == pytest.approx(made, rel=0.01)
            beside = r"(?:; (?P<share>\S+) h on (?P<gpus>\d) GPUs)?"
            found = re.fullmatch(rf"      ÷ \(312e12 × ([\d.]+) × 3600\) = (\S+) h{beside}", following)
            assert found, following
            hours.append(number(found[2]))
            assert hours[-1] == pytest.approx(made / (312e12 * float(found[1]) * 3600), rel=0.02)
            side_by_side += number(found["share"] or found[2])
            if found["share"]:
                assert number(found["share"]) == pytest.approx(hours[-1] / int(found["gpus"]), rel=0.02)
    (total,) = (line for line in page if line.startswith("  in all"))
    whole, from_beginning_to_end = total.removeprefix("  in all").split("; ")
    assert number(whole) == pytest.approx(sum(hours), rel=0.02)
    assert number(from_beginning_to_end) == pytest.approx(side_by_side, rel=0.02)


@pytest.mark.parametrize("profile", profile_names())
def test_an_estimate_scales_the_work_that_the_plan_counts(profile: str) -> None:
    found = plan(profile=profile)
    hours = {stage: sum(map(found.hours_of, terms)) for stage, terms in found.costs.stages.items()}
    work = {stage: amount for stage, amount in estimate.work(load_profile(profile)).items() if amount}
    assert hours.keys() == work.keys() - {"best_of_n"}  # which uses no GPU
    assert hours == pytest.approx({stage: work[stage] / (found.gpu.tflops * 1e12 * 3600) for stage in hours})


def gpus_of(plan: Plan) -> dict[str, int]:
    return {f"{stage}: {term.what}": term.gpus for stage, terms in plan.costs.stages.items() for term in terms}


def test_gpus_that_the_engine_leaves_idle_are_not_counted_on() -> None:
    here, ray = plan(), plan("--engine", "ray")
    own, tasks = gpus_of(here), gpus_of(ray)
    for what in ("test_responses: sampled", "scores: read"):
        assert (own[what], tasks[what]) == (1, 8)
    # eight processes train a reward model, OpenRLHF has all GPUs of its machine; then its five checkpoints are parts
    for what in ("reward_models: trained, all blocks", "ppo: policy and critic trained"):
        assert own[what] == tasks[what] == 8
    assert (own["ppo: checkpoints scored"], tasks["ppo: checkpoints scored"]) == (1, 5)
    more = gpus_of(plan("--engine", "ray", "--gpus", "24"))
    assert (more["reward_models: trained, all blocks"], more["ppo: policy and critic trained"]) == (24, 8)
    assert here.gpu_hours == ray.gpu_hours
    assert ray.hours < here.hours < here.gpu_hours


def test_the_command_of_a_plan_for_a_cluster_starts_it_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RIGHTTREE_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    cluster = ["--engine", "ray", "--ray-address", "10.0.0.1:6379", "--ray-task", "ppo:gpus=1"]
    assert main(["run", "--profile", "paper", "--plan", *cluster]) == 0
    page = capsys.readouterr().out
    assert f"  command: righttree run --profile paper {' '.join(cluster)}\n" in page
    assert re.search(r"^  (ok     |MISSING) ray: ", page, re.MULTILINE)
    assert "--engine ray on" not in page
    assert main(["run", "--profile", "paper", "--plan", "--ray-address", "10.0.0.1:6379"]) == 2


def test_a_token_costs_two_operations_a_weight_to_read_and_six_to_learn_from(model: LanguageModel) -> None:
    size = model_size(EMBEDDED_MODEL)
    tokens = torch.randint(1000, (2, 48))
    model.model.requires_grad_(True)
    try:
        with FlopCounterMode(display=False) as reading:
            logits = model.model(tokens).logits
        with FlopCounterMode(display=False) as learning:
            logits.float().sum().backward()
    finally:
        model.model.requires_grad_(False)
    assert reading.get_total_flops() == pytest.approx(2 * size.parameters * tokens.numel(), rel=0.1)
    assert learning.get_total_flops() == pytest.approx(4 * size.parameters * tokens.numel(), rel=0.1)


def test_what_is_trained_takes_sixteen_bytes_a_weight(model: LanguageModel) -> None:
    trained = RewardModel(model, 1)
    optimizer = torch.optim.AdamW(trained.parameters())
    for parameter in trained.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    weights = list(trained.parameters())
    count = sum(weight.numel() for weight in weights)
    kept = [*weights, *(weight.grad for weight in weights)]
    kept += [value for state in optimizer.state.values() for value in state.values() if value.numel() > 1]
    assert sum(one.numel() * one.element_size() for one in kept) == pytest.approx(16 * count)
    assert count <= model_size(EMBEDDED_MODEL).trained(1) < 1.3 * count


def test_a_model_s_size_is_told_by_its_files() -> None:
    assert model_size(str(provision())) == KNOWN[EMBEDDED_MODEL]
    assert model_size(EMBEDDED_MODEL, 1e9).parameters == 1e9
    with pytest.raises(InvalidSetting, match="size of model 'nobody/has-it' is not known; give the folder"):
        model_size("nobody/has-it")


def test_a_tied_output_layer_is_on_the_disk_a_second_time(tmp_path: Path) -> None:
    """As OpenRLHF saves it; measured: 326 MB for the embedded model's 269."""
    settings = load_profile("smoke").model_dump(mode="json")
    settings["ppo"] |= {"engine": "openrlhf", "trainable_layers": -1, "steps": 4, "checkpoints": [2, 4]}
    disk = {term.what: term.value for term in plan(config=Config.model_validate(settings)).costs.disk}
    assert disk["checkpoints of a policy"] / 3 == pytest.approx(326e6, rel=0.01)
    saved = load(EMBEDDED_MODEL)
    assert saved.model.config.tie_word_embeddings
    state = {name: weight.clone() for name, weight in saved.model.state_dict().items()}
    saved.model.save_pretrained(tmp_path, state_dict=state)  # as OpenRLHF does
    save_file(state, tmp_path / "model.safetensors")
    assert model_size(str(tmp_path)) == KNOWN[EMBEDDED_MODEL]


def test_openrlhf_is_needed_where_it_trains_reward_models_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PYTHON, raising=False)
    settings = load_profile("smoke").model_dump(mode="json", exclude={"ppo"})
    settings["reward_models"] = {"engine": "openrlhf", "trainable_layers": -1, "regularisation": 0.0}
    for engine, expected in (("openrlhf", [False]), ("in_process", [])):
        settings["reward_models"]["engine"] = engine
        config = Config.model_validate(settings)
        listed = needs(tmp_path, config, GPUS["h100"], gpus=1, ray=False, disk_bytes=1.0)
        assert [finding.ok for finding in listed if finding.what == "openrlhf"] == expected


def test_the_paper_s_profile_has_its_settings() -> None:
    paper = load_profile("paper")
    models, ppo = paper.reward_models, paper.ppo
    assert ppo is not None
    assert (len(models.ids), models.trainable_layers, models.batch_pairs, models.regularisation) == (10, -1, 64, 1e-2)
    assert (models.learning_rate, models.warmup_share, paper.preferences.max_characters) == (5e-6, 0.1, 4 * 2048)
    assert (ppo.batch_responses, ppo.actor_learning_rate, ppo.critic_learning_rate) == (256, 1e-6, 1e-5)
    assert (ppo.kl_coefficient, ppo.trainable_layers, paper.policy.max_new_tokens) == (0.0, -1, 1024)
    mix = " ".join(paper.preferences.files).lower()
    sources = ("nectar", "capybara", "orca", "ultrafeedback", "saferlhf", "mt_bench_human", "chatbot_arena", "hh-rlhf")
    assert len(paper.preferences.files) == len(sources)
    assert all(source in mix for source in sources)
    counts = plan().costs.counts
    assert counts.pairs == 112_400
    assert 2733 < sum(counts.prompts.values()) < 2985  # its prompts before those that are there twice are left out


def test_options_change_what_is_assumed() -> None:
    whole = plan()
    assert plan("--gpu-tflops", "1978").gpu_hours == pytest.approx(whole.gpu_hours / 2)
    assert plan("--parameters", "16e9").gpu_hours == pytest.approx(whole.gpu_hours * 16e9 / whole.costs.size.parameters)
    shares = ("--training-share", "0.2", "--reading-share", "0.2", "--sampling-share", "0.05")
    assert plan(*shares).gpu_hours == pytest.approx(2 * whole.gpu_hours)
    halved = plan("--prompt-tokens", "512", "--response-tokens", "512", "--pair-tokens", "1024")
    assert halved.gpu_hours == pytest.approx(whole.gpu_hours / 2)
    fewer = plan("--pairs", "1000")
    assert fewer.costs.counts.pairs == 1000
    assert fewer.gpu_hours < whole.gpu_hours


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--gpus", "0"), "--gpus is 0; give a number above 0"),
        (("--gpu-tflops", "nan"), "--gpu-tflops is nan; give a number above 0"),
        (("--reading-share", "1.5"), "--reading-share is 1.5; give a share of the peak, at most 1"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(options: tuple[str, str], said: str) -> None:
    with pytest.raises(InvalidSetting, match=re.escape(said)):
        plan(*options)


def test_what_this_machine_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # so that no nvidia-smi is found
    paper = plan()
    found = {
        finding.what: finding
        for finding in needs(tmp_path, paper.costs.config, paper.gpu, gpus=8, ray=False, disk_bytes=1e18)
    }
    assert [found[what].ok for what in ("gpus", "vllm", "data", "disk space", "torch")] == [
        False,
        False,
        False,
        False,
        True,
    ]
    assert found["gpus"].found == "none; the plan is for 8 with 80 GB each"
    assert found["data"].found.endswith("HF_HUB_OFFLINE is set")
    assert all(finding.remedy for finding in found.values() if not finding.ok)
    there = tmp_path / "pairs.parquet"
    there.touch()
    settings = paper.costs.config.model_dump(mode="json")
    settings["preferences"]["files"] = [str(there), str(tmp_path / "gone.parquet")]
    settings["prompts"]["files"] = []
    settings["policy"] |= {"model": EMBEDDED_MODEL, "sampler": "transformers"}
    local = needs(tmp_path, Config.model_validate(settings), paper.gpu, gpus=8, ray=False, disk_bytes=0)
    assert [finding.ok for finding in local if finding.what == "data"] == [True, False]
    assert "vllm" not in {finding.what for finding in local}


def test_a_category_with_fewer_prompts_gives_all_it_has_where_the_profile_says_so() -> None:
    rows = [("Chat", f"a/{n}") for n in range(3)] + [("Safety", f"b/{n}") for n in range(9)]
    prompts = pl.DataFrame(rows, schema=["category", "prompt_id"], orient="row").with_columns(
        subset=pl.col("prompt_id").str.head(1), split=pl.lit("rm_test")
    )
    chosen = choose(prompts, ("Chat", "Safety"), {"rm_test": 5}, at_most=True)
    assert dict(chosen.group_by("category").len().iter_rows()) == {"Chat": 3, "Safety": 5}
    with pytest.raises(InvalidConfig, match="Chat has 3 rm_test prompts"):
        choose(prompts, ("Chat", "Safety"), {"rm_test": 5})
    with pytest.raises(InvalidConfig, match="Reasoning has 0 rm_test prompts"):
        choose(prompts, ("Reasoning",), {"rm_test": 5}, at_most=True)
