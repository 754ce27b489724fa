"""Profiles validate, and what does not is named in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config import Config, OtherRewardModel, load_profile, profile_names
from pipeline.config.reward_models import KINDS
from pipeline.errors import InvalidConfig
from pipeline.runs.extend import reward_model
from warehouse import schema


@pytest.mark.parametrize("name", profile_names())
def test_profiles_that_come_along_load_under_their_own_name(name: str) -> None:
    assert load_profile(name).profile == name


def test_quick_is_what_the_method_asks_for() -> None:
    quick = load_profile("quick")
    assert quick.reward_models.flip_rates == (0.0, 0.1, 0.2, 0.3, 0.4)
    assert len(quick.reward_models.ids) == 12
    assert len({plan.kind for plan in quick.reward_models.plans}) == 8
    assert quick.reward_models.depths == (0,)  # heads, which cost seconds
    assert quick.ppo is not None
    assert set(quick.ppo.reward_models) < set(quick.reward_models.ids)
    assert quick.best_of_n[0] == 1
    assert quick.best_of_n[-1] == quick.test.rl_test_samples


def test_strengths_double_up_to_the_number_of_samples() -> None:
    config = Config.model_validate({"profile": "x", "test": {"rl_test_samples": 12}})
    assert config.best_of_n == (1, 2, 4, 8, 12)


OTHERS = """
[reward_models]
flip_rates = [0.0, 0.25]
learning_rate = 1e-3
[[reward_models.others]]
kind = "size"
train_share = 0.25
[[reward_models.others]]
kind = "depth"
trainable_layers = 2
learning_rate = 1e-4
epochs = 2
[[reward_models.others]]
kind = "depth"
trainable_layers = -1
[[reward_models.others]]
kind = "seed"
number = 1
[[reward_models.others]]
kind = "length"
length_bias = 0.5
[[reward_models.others]]
kind = "length"
length_bias = 0.5
flip_rate = 0.1
[[reward_models.others]]
kind = "seed"
number = 1
flip_rate = 0.2
[[reward_models.others]]
kind = "seed"
number = 2
flip_rate = 0.2
[[reward_models.others]]
kind = "category-flip"
flipped_category = "Chat Hard"
flip_rate = 0.4
[[reward_models.others]]
kind = "margin-flip"
flip_rate = 0.2
[[reward_models.others]]
kind = "only-category"
only_category = "Safety"
[[reward_models.others]]
kind = "ensemble"
members = ["flip-0.00", "seed-1", "only-safety"]
[[reward_models.others]]
kind = "ensemble"
number = 1
members = ["flip-0.25", "seed-1", "seed-2-flip-0.20"]
"""


def test_reward_models_of_every_kind_have_readable_ids_and_differ_in_what_they_say(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(OTHERS)
    settings = load_profile(str(path)).reward_models
    names = ["flip-0.00", "flip-0.25", "size-0.25", "depth-2", "depth-all", "seed-1", "length-0.50"]
    names += ["length-0.50-flip-0.10", "seed-1-flip-0.20", "seed-2-flip-0.20", "flip-chat-hard-0.40", "flip-close-0.20"]
    names += ["only-safety", "ensemble-3", "ensemble-3-1"]
    assert [plan.reward_model_id for plan in settings.plans] == names
    assert settings.ids == settings.trained_ids == tuple(sorted(names))
    assert settings.depths == (-1, 0, 2)
    plans = {plan.reward_model_id: plan for plan in settings.plans}
    clean = replace(plans["flip-0.00"], reward_model_id="", kind="")
    changes = {
        "flip-0.25": {"flip_rate": 0.25},
        "size-0.25": {"train_share": 0.25},
        "depth-2": {"trainable_layers": 2, "learning_rate": 1e-4, "epochs": 2},
        "depth-all": {"trainable_layers": -1},
        "seed-1": {},
        "length-0.50": {"length_bias": 0.5},
        "length-0.50-flip-0.10": {"length_bias": 0.5, "flip_rate": 0.1},
        "seed-2-flip-0.20": {"flip_rate": 0.2},
        "flip-chat-hard-0.40": {"kind": "category-flip", "flipped_category": "Chat Hard", "flip_rate": 0.4},
        "flip-close-0.20": {"kind": "margin-flip", "flip_rate": 0.2},
        "only-safety": {"kind": "only-category", "only_category": "Safety"},
        "ensemble-3": {"members": ("flip-0.00", "seed-1", "only-safety")},
    }
    for name, changed in changes.items():
        assert plans[name] == replace(clean, **{"reward_model_id": name, "kind": name.split("-")[0], **changed})


def test_every_kind_of_reward_model_is_a_kind_of_the_schema_and_can_be_typed_in_a_command() -> None:
    assert set(KINDS) <= set(schema.KINDS)
    values = {"only-category": "Chat Hard", "category-flip": "Chat Hard,flip_rate=0.4", "ensemble": "flip-0.00+seed-1"}
    for kind in KINDS:
        typed = f"{kind}={values.get(kind, '0.2' if 'flip' in kind or kind in ('size', 'length') else '1')}"
        assert OtherRewardModel.model_validate(reward_model(typed)).kind == kind


def test_an_algorithm_has_the_settings_of_all_but_for_its_own() -> None:
    settings = {"algorithms": ["rloo", "ppo"], "steps": 6, "checkpoints": [3, 6], "each": {"ppo": {"epochs": 7}}}
    ppo = Config.model_validate({"profile": "x", "ppo": settings}).ppo
    assert ppo is not None
    assert (ppo.of("rloo").epochs, ppo.of("ppo").epochs) == (ppo.epochs, 7)
    assert ppo.of("ppo").steps == 6
    assert ppo.of("ppo").algorithms == ("ppo",)
    assert hash(ppo) == hash(ppo.model_copy())


def test_many_samples_add_strengths_of_best_of_n() -> None:
    test = {"rl_test_samples": 12, "many_samples": 40}
    assert Config.model_validate({"profile": "x", "test": test}).best_of_n == (1, 2, 4, 8, 12, 16, 32, 40)


def test_an_ensemble_trains_only_a_head_whatever_the_family_trains(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    heads = other("kind = 'depth'", "trainable_layers = 0"), other("kind = 'seed'", "number = 1")
    path.write_text("\n".join([family("trainable_layers = 2"), *heads]))
    assert load_profile(str(path)).reward_models.depths == (0, 2)
    ensemble = other("kind = 'ensemble'", "members = ['depth-0', 'seed-1']")
    path.write_text("\n".join([family("trainable_layers = 2"), *heads, ensemble]))
    with pytest.raises(InvalidConfig, match=r"member 'seed-1'; .* train only their head: \['depth-0'\]"):
        load_profile(str(path))


def test_categories_of_pairs_from_files_are_not_known_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    poems = other("kind = 'only-category'", "only_category = 'Poems'")
    path.write_text("[preferences]\nfiles = ['pairs.jsonl']\n" + poems)
    assert "only-poems" in load_profile(str(path)).reward_models.ids


def test_without_others_the_reward_models_are_the_flip_rates() -> None:
    settings = Config.model_validate({"profile": "x"}).reward_models
    assert settings.ids == ("flip-0.00", "flip-0.10", "flip-0.20", "flip-0.30", "flip-0.40")


def other(*settings: str) -> str:
    return "\n".join(["[[reward_models.others]]", *settings])


def family(*settings: str) -> str:
    return "\n".join(["[reward_models]", *settings])


def test_a_seed_given_replaces_the_profile_s(tmp_path: Path) -> None:
    assert load_profile("smoke", seed=7).seed == 7


def test_all_layers_can_be_trained_in_parts_and_by_several_processes(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    settings = ("trainable_layers = -1", "batch_pairs = 64", "gradient_accumulation = 8", "processes = 8")
    path.write_text(family(*settings, "gradient_checkpointing = true"))
    read = load_profile(str(path)).reward_models
    assert (read.gradient_accumulation, read.processes, read.gradient_checkpointing) == (8, 8, True)
    path.write_text(family("processes = 2") + "\n" + other("kind = 'depth'", "trainable_layers = -1"))
    assert load_profile(str(path)).reward_models.depths == (-1, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = 'one'", "seed: .*got 'one'"),
        ("[policy]\ntemperature = 0", "policy.temperature"),
        ("[policy]\ntemprature = 1.0", "policy.temprature"),
        (
            "[reward_models]\nflip_rates = [0.1, 0.1]",
            "reward_models.flip_rates: two values differ by less than 0.01",
        ),
        ("[reward_models]\nflip_rates = [0.1]", "reward_models.flip_rates: give at least 2"),
        ("[reward_models]\nflip_rates = [0.1, 1.5]", "flip_rates"),
        ("[prompts]\ncategories = ['Chitchat']", "prompts.categories.0: 'Chitchat' is no category; use some of"),
        ("seed = ", "not TOML"),
        ("[test]\nrm_test_responses = 1", "rm_test_responses"),
        (
            "[test]\nsource_temperatures = [0.5, 0.5]",
            "test.source_temperatures: two values differ by less than 0.01",
        ),
        ("[policy]\ntemperature = nan", "policy.temperature"),
        ("[ppo]\ntrainable_layers = 0", "ppo: trainable_layers has to be 1 or more, or -1 for all"),
        ("[ppo]\nsteps = 4", "ppo: checkpoints has to be ascending steps that end with 4"),
        ("[ppo]\nbatch_responses = 6", "ppo: batch_responses has to be a multiple of samples_per_prompt, 4"),
        ("[ppo]\nbatch_responses = 8\nminibatches = 9", "ppo: minibatches has to be at most batch_responses, 8"),
        ("[ppo]\nsweep = [0.1, 0.1]", "ppo.sweep: the same value occurs twice"),
        ("[ppo]\nsweep = [0.0]", "ppo: sweep has to hold KL coefficients other than kl_coefficient, 0"),
        ("[ppo]\nalgorithms = []", "ppo.algorithms: give at least 1"),
        ("[ppo]\nreward_models = ['flip-9']", "ppo.reward_models has 'flip-9'; the profile's reward models are"),
        ("[ppo]\nalgorithms = ['rloo']\nsamples_per_prompt = 1", "samples_per_prompt has to be 2 or more, as rloo"),
        (
            "[ppo]\nalgorithms = ['ppo', 'grpo']\nsamples_per_prompt = 1",
            "ppo: each.grpo: samples_per_prompt has to be 2 or more, as grpo compares",
        ),
        ("[ppo.each.rloo]\nsteps = 5", r"ppo: each has settings of rloo, which algorithms \['ppo'\] does not name"),
        ("[ppo.each.ppo]\nengine = 'openrlhf'", "ppo: each.ppo sets engine, which is the same for all algorithms"),
        ("[ppo.each.ppo]\nsteps = 4", "ppo: each.ppo: checkpoints has to be ascending steps that end with 4"),
        ("[ppo.each.ppo]\nstep = 4", "ppo: each.ppo.step: Extra inputs"),
        ("[ppo.each.ppo]\npool_responses = 4", "ppo: each.ppo sets pool_responses, which ppo does not have"),
        ("[ppo]\nalgorithms = ['sft']\n[ppo.each.sft]\nsweep = [0.4]", "each.sft sets sweep, which sft does not have"),
        ("[ppo]\ntruncation_score = -1\ntruncation_penalty = 1", "can have one of them"),
        ("[ppo]\nsweep = [0.1234567, 0.1234568]", "ppo.sweep: two values have the same six digits"),
        ("[ppo]\nalgorithms = ['sft']\ntruncation_score = -1", "sft does not have; use truncation_penalty"),
        ("[ppo.each.dpo]\nsteps = 4", "ppo.each.dpo"),
        (
            "[ppo]\nalgorithms = ['sft']\nengine = 'openrlhf'",
            "ppo: engine 'openrlhf' has no sft; it has ppo, reinforce",
        ),
        ("[ppo]\nalgorithms = ['reinforce++']", "ppo: engine 'in_process' has no reinforce"),
        (
            "[ppo]\nengine = 'openrlhf'\ntruncation_penalty = 1.5",
            "ppo: truncation_penalty is 1.5, and engine 'openrlhf' has none: leave it out",
        ),
        ("[ppo]\nrepeats = 0", "ppo.repeats: .*greater than or equal to 1"),
        (
            "[test]\nrl_test_samples = 8\nmany_samples = 8",
            "test.many_samples has to be above rl_test_samples, 8; got 8",
        ),
        (
            "[test]\nrl_test_samples = 8\nmany_samples = 4",
            "test.many_samples has to be above rl_test_samples, 8; got 4",
        ),
        ("[prompts]\ninstructions = ['Be brief.', 'Be brief.']", "prompts.instructions: the same value occurs twice"),
        ("[prompts]\ncategories = []", "prompts.categories: give at least 1"),
        ("[prompts]\ncategories = ['Chat', 'Chat']", "prompts.categories: the same value occurs twice"),
        ("[ppo]\nsweep_reward_models = ['flip-9']", "ppo.sweep_reward_models has 'flip-9'"),
        (
            other("kind = 'colour'"),
            r"reward_models.others.0.kind: .*'size', 'depth', 'seed', 'length', 'category-flip'",
        ),
        (other("kind = 'size'"), "kind 'size' needs train_share, and no other of"),
        (other("kind = 'size'", "train_share = 1.0"), "reward_models.others.0.train_share: .*less than 1"),
        (other("kind = 'seed'", "number = 1", "length_bias = 0.5"), "kind 'seed' needs number, and no other of"),
        (other("kind = 'length'", "length_bias = 0"), "reward_models.others.0.length_bias: .*greater than 0"),
        (other("kind = 'depth'", "trainable_layers = 0"), "others has a depth of 0, which is the family's"),
        (2 * (other("kind = 'seed'", "number = 1") + "\n"), "others has seed-1 more than once"),
        (other("kind = 'margin-flip'"), "kind 'margin-flip' needs a flip_rate of at least 0.01"),
        (other("kind = 'margin-flip'", "flip_rate = 0.2", "number = 1"), "kind 'margin-flip' needs flip_rate, and no"),
        (
            family("trainable_layers = -1") + "\n" + other("kind = 'margin-flip'", "flip_rate = 0.2"),
            "others has a margin-flip, whose pairs are ranked",
        ),
        (other("kind = 'category-flip'", "flip_rate = 0.2"), "kind 'category-flip' needs flipped_category, and no"),
        (other("kind = 'category-flip'", "flipped_category = 'Safety'"), "needs a flip_rate of at least 0.01"),
        (
            other("kind = 'category-flip'", "flipped_category = 'Poems'", "flip_rate = 0.2"),
            r"others has the category 'Poems' for flip-poems-0.20; the run's categories are \['Chat'",
        ),
        (other("kind = 'only-category'", "only_category = '../x'"), "reward_models.others.0.only_category"),
        (other("kind = 'ensemble'", "members = ['flip-0.00']"), "reward_models.others.0.members: give at least 2"),
        (other("kind = 'ensemble'", "members = ['flip-0.00', 'flip-0.00']"), "members: the same value occurs twice"),
        (other("kind = 'ensemble'", "members = ['flip-0.00', 'x']"), "others has an ensemble with the member 'x'; use"),
        (
            other("kind = 'ensemble'", "members = ['flip-0.00', 'flip-0.10']", "epochs = 2"),
            "kind 'ensemble' is not trained: leave out",
        ),
        (family("processes = 2", "trainable_layers = 2"), "reward_models: processes is 2, and only reward models with"),
        (family("gradient_checkpointing = true"), "reward_models: gradient_checkpointing saves memory where layers"),
        (family("gradient_accumulation = 33"), "gradient_accumulation × processes is 33: a step of 32 batch_pairs has"),
        (family("trainable_layers = -1", "gradient_accumulation = 8", "processes = 8"), "processes is 64: a step of"),
        (family("gradient_accumulation = 0"), "reward_models.gradient_accumulation: .*greater than or equal to 1"),
    ],
)
def test_a_bad_setting_is_named_with_what_was_got(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InvalidConfig, match=message) as caught:
        load_profile(str(path))
    assert "\n" not in str(caught.value)


def test_a_profile_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(InvalidConfig, match="quick"):
        load_profile("qwick")
    with pytest.raises(InvalidConfig, match="cannot be read"):
        load_profile("/nowhere/mine.toml")
