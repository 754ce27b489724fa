"""Reward models as trainers save them score as the hidden state of the last token times their head, by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, LlamaModel

from pipeline.errors import ModelUnavailable
from pipeline.models.classifier import Classifier, load_classifier
from pipeline.models.elsewhere.head import Head, output_weights
from pipeline.scoring import added
from tests.pipeline.backends.openrlhf.wheel import openrlhf_wheel, reward_model_class
from tests.pipeline.reward_models_elsewhere import checkpoint, plain_scores

TEXTS = [
    ("What is 2 + 3?", "5"),
    ("What is 2 + 3?", "It is six, I believe, since two and three make more than five."),
    ("Name a colour.", "Blue is a colour that many people like."),
    ("Name a colour.", ""),
]
HIDDEN = 16
Change = Callable[[torch.nn.Module], None]


def ids_of(folder: Path) -> list[torch.Tensor]:
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    turns = [[{"role": "user", "content": p}, {"role": "assistant", "content": r}] for p, r in TEXTS]
    rendered = [tokenizer.apply_chat_template(turn, tokenize=False) for turn in turns]
    return [torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]]) for text in rendered]


@torch.no_grad()
def by_hand(trunk: Path, tokens: Path, weight: torch.Tensor, bias: float = 0.0, change: Change | None = None) -> Any:
    """Scores `[texts, outputs]`, one text at a time: transformers' own decoder, then a product."""
    model = LlamaModel.from_pretrained(trunk, dtype=torch.float32).eval()
    if change is not None:
        change(model)
    last = [model(input_ids=ids).last_hidden_state[0, -1] for ids in ids_of(tokens)]
    return (torch.stack(last) @ weight.T + bias).numpy()


def loaded(folder: Path, **options: Any) -> Classifier:
    return load_classifier(added.settings_of(model=str(folder), dtype="float32", batch_texts=3, **options))


def scores(folder: Path, **options: Any) -> np.ndarray:
    values = loaded(folder, **options).score(TEXTS)
    assert np.ptp(values) > 1e-2
    return values


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def settings(folder: Path, remove: tuple[str, ...] = (), **changed: Any) -> None:
    path = folder / "config.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in content.items() if name not in remove} | changed))


def reshaped(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file({name: weight.contiguous() for name, weight in weights.items()}, folder / "model.safetensors")


def openrlhf(folder: Path, head: str, **changed: Any) -> torch.Tensor:
    """A folder as OpenRLHF saves it: settings without labels, the head under a name of its own; returns the head."""
    checkpoint(folder)
    reshaped(folder, lambda weights: weights.update({f"{head}.weight": weights.pop("score.weight")}))
    settings(folder, ("num_labels", "id2label", "label2id"), value_head_prefix=head, **changed)
    return load_file(folder / "model.safetensors")[f"{head}.weight"]


def llama_factory(folder: Path) -> torch.Tensor:
    """A causal model with `value_head.safetensors` beside it, as LLaMA-Factory saves it; returns the head's weight."""
    checkpoint(folder, causal=True)
    head = random(1, HIDDEN)
    save_file({"v_head.summary.weight": head, "v_head.summary.bias": torch.ones(1)}, folder / "value_head.safetensors")
    return head


def adapter(folder: Path, base: Path, weights: dict[str, torch.Tensor], **changed: Any) -> Path:
    """A LoRA adapter as PEFT saves it."""
    folder.mkdir()
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    config = {"peft_type": "LORA", "base_model_name_or_path": str(base), "r": 2, "lora_alpha": 8} | changed
    (folder / "adapter_config.json").write_text(json.dumps(config))
    save_file(
        {f"base_model.model.{name}": tensor for name, tensor in weights.items()}, folder / "adapter_model.safetensors"
    )
    return folder


def pair(module: str, rows: int, columns: int, seed: int = 3) -> dict[str, torch.Tensor]:
    return {
        f"{module}.lora_A.weight": random(2, columns, seed=seed),
        f"{module}.lora_B.weight": random(rows, 2, seed=seed + 1),
    }


def with_pair(module: str, low: torch.Tensor, high: torch.Tensor, scaling: float) -> Change:
    """Adds the adapter's branch to a layer's output, as PEFT does without merging."""

    def change(model: torch.nn.Module) -> None:
        model.get_submodule(module).register_forward_hook(
            lambda _, inputs, output: output + scaling * (inputs[0] @ low.T @ high.T)
        )

    return change


@pytest.mark.parametrize("head", ["score", "value_head", "anything"])
def test_openrlhf_s_head_is_read_whatever_its_name_and_without_num_labels(head: str, tmp_path: Path) -> None:
    weight = openrlhf(tmp_path / "rm", head)
    np.testing.assert_allclose(
        scores(tmp_path / "rm"), by_hand(tmp_path / "rm", tmp_path / "rm", weight)[:, 0], atol=1e-4
    )
    assert f"head {head} " in loaded(tmp_path / "rm").description


def test_the_weights_decide_where_the_settings_name_another_head(tmp_path: Path) -> None:
    weight = openrlhf(tmp_path / "rm", "value_head")
    settings(tmp_path / "rm", value_head_prefix="score", num_labels=7)
    np.testing.assert_allclose(
        scores(tmp_path / "rm"), by_hand(tmp_path / "rm", tmp_path / "rm", weight)[:, 0], atol=1e-4
    )


@pytest.mark.parametrize("place", ["settings", "weights"])
def test_rewards_are_normalised_where_the_settings_say_so(place: str, tmp_path: Path) -> None:
    folder = tmp_path / "rm"
    weight = openrlhf(folder, "score", normalize_reward=True)
    if place == "settings":
        settings(folder, mean=0.5, std=2.0)
    else:
        reshaped(folder, lambda weights: weights.update(mean=torch.tensor([0.5]), std=torch.tensor([2.0])))
    plain = by_hand(folder, folder, weight)[:, 0]
    np.testing.assert_allclose(scores(folder), (plain - 0.5) / 2.0, atol=1e-4)
    settings(folder, normalize_reward=False)
    np.testing.assert_allclose(scores(folder), plain, atol=1e-4)
    settings(folder, normalize_reward=True, mean=0.0, std=0.0)
    with pytest.raises(ModelUnavailable, match="wanted a std above 0"):
        loaded(folder)


def test_openrlhf_s_own_class_gives_the_same_normalised_scores(tmp_path: Path) -> None:
    load = reward_model_class(openrlhf_wheel(tmp_path))
    openrlhf(tmp_path / "rm", "value_head", normalize_reward=True, mean=0.25, std=3.0)
    model = load(tmp_path / "rm", "value_head")
    model.normalize_reward = True  # which this loader turns off, and whose buffers transformers leaves empty
    model.mean[0], model.std[0] = 0.25, 3.0
    with torch.no_grad():
        own = [model(ids, torch.ones_like(ids)).item() for ids in ids_of(tmp_path / "rm")]
    np.testing.assert_allclose(scores(tmp_path / "rm"), own, atol=1e-4)


def test_llama_factory_s_value_head_lies_beside_a_causal_model(tmp_path: Path) -> None:
    weight = llama_factory(tmp_path / "rm")
    np.testing.assert_allclose(
        scores(tmp_path / "rm"), by_hand(tmp_path / "rm", tmp_path / "rm", weight, bias=1.0)[:, 0], atol=1e-4
    )
    assert loaded(tmp_path / "rm").description == "head v_head.summary from value_head.safetensors"


def test_trl_s_value_head_may_lie_among_the_weights_in_a_wrapper(tmp_path: Path) -> None:
    weight = llama_factory(tmp_path / "plain")
    folder = checkpoint(tmp_path / "rm", causal=True)
    inner = {f"pretrained_model.{name}": tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    head = load_file(tmp_path / "plain" / "value_head.safetensors")
    save_file({**inner, **head}, folder / "model.safetensors")
    np.testing.assert_allclose(scores(folder), by_hand(tmp_path / "plain", folder, weight, bias=1.0)[:, 0], atol=1e-4)


def test_a_classifier_of_transformers_skips_padding_at_the_end_of_a_text_as_transformers_does(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "rm")
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{{ eos_token }}{% endfor %}"
    tokenizer.save_pretrained(folder)
    assert ids_of(folder)[0][0, -1] == tokenizer.pad_token_id
    np.testing.assert_allclose(scores(folder), plain_scores(folder, TEXTS), atol=1e-4)


@pytest.mark.parametrize("rslora", [False, True])
def test_an_adapter_is_merged_with_its_scaling_and_brings_its_head(rslora: bool, tmp_path: Path) -> None:
    base = checkpoint(tmp_path / "base", causal=True)
    query, down = "layers.0.self_attn.q_proj", "layers.1.mlp.down_proj"
    low_rank = pair(query, HIDDEN, HIDDEN) | pair(down, HIDDEN, 32, seed=5)
    head = random(1, HIDDEN)
    weights = {f"model.{name}": tensor for name, tensor in low_rank.items()} | {"score.weight": head}
    folder = adapter(tmp_path / "rm", base, weights, use_rslora=rslora, alpha_pattern={"down_proj": 2})
    root = 2**0.5 if rslora else 2

    def change(model: torch.nn.Module) -> None:
        for module, alpha in ((query, 8), (down, 2)):
            low, high = (low_rank[f"{module}.lora_{side}.weight"] for side in "AB")
            with_pair(module, low, high, alpha / root)(model)

    plain = by_hand(base, base, head, change=change)[:, 0]
    np.testing.assert_allclose(scores(folder), plain, rtol=1e-3, atol=1e-3)
    assert np.abs(plain - by_hand(base, base, head)[:, 0]).max() > 0.1
    assert added.settings_of(model=str(folder)).origin.count("sha256:") == 2


def test_an_adapter_without_head_uses_that_of_its_base_and_may_change_it(tmp_path: Path) -> None:
    base = checkpoint(tmp_path / "base")
    head = load_file(base / "model.safetensors")["score.weight"]
    on_head = pair("score", 1, HIDDEN)
    delta = 4 * on_head["score.lora_B.weight"] @ on_head["score.lora_A.weight"]
    folder = adapter(tmp_path / "rm", base, on_head)
    np.testing.assert_allclose(scores(folder), by_hand(base, base, head + delta)[:, 0], atol=1e-3)
    whole = adapter(tmp_path / "whole", base, {"score.modules_to_save.weight": 2 * head})
    np.testing.assert_allclose(scores(whole), by_hand(base, base, 2 * head)[:, 0], atol=1e-4)


def test_an_adapter_with_llama_factory_s_head_and_tokens_of_its_own(tmp_path: Path) -> None:
    base = checkpoint(tmp_path / "base", causal=True)
    embedding = load_file(base / "model.safetensors")["model.embed_tokens.weight"]
    more = torch.cat([2 * embedding, random(3, HIDDEN)])
    folder = adapter(tmp_path / "rm", base, {"model.embed_tokens.weight": more})
    head = random(1, HIDDEN)
    save_file({"v_head.summary.weight": head}, folder / "value_head.safetensors")

    def change(model: torch.nn.Module) -> None:
        model.embed_tokens.weight.data *= 2

    np.testing.assert_allclose(scores(folder), by_hand(base, base, head, change=change)[:, 0], atol=1e-3)


def test_an_adapter_that_was_changed_or_whose_base_was_is_refused(tmp_path: Path) -> None:
    base = checkpoint(tmp_path / "base")
    folder = adapter(tmp_path / "rm", base, {"score.weight": random(1, HIDDEN)})
    pinned = added.settings_of(model=str(folder), dtype="float32")
    load_classifier(pinned)
    reshaped(base, lambda weights: weights["model.norm.weight"].add_(1))
    with pytest.raises(ModelUnavailable, match=r"the files in .*base are not those that were added"):
        load_classifier(pinned)


def test_of_several_outputs_one_or_a_weighted_sum_is_the_score(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "rm", labels=3)
    head = load_file(folder / "model.safetensors")["score.weight"]
    outputs = by_hand(folder, folder, head)
    np.testing.assert_allclose(scores(folder, attributes=[("1", 1.0)]), outputs[:, 1], atol=1e-4)
    settings(folder, id2label={"0": "helpfulness", "1": "correctness", "2": "verbosity"})
    mixed = scores(folder, attributes=[("helpfulness", 0.5), ("2", -2.0)])
    np.testing.assert_allclose(mixed, 0.5 * outputs[:, 0] - 2.0 * outputs[:, 2], atol=1e-4)
    described = loaded(folder, attributes=[("2", -2.0)])
    assert described.description.endswith("3 outputs: -2 × verbosity")
    with pytest.raises(ModelUnavailable, match=r"3 outputs \(0 helpfulness, 1 correctness, 2 verbosity\); choose"):
        loaded(folder)
    with pytest.raises(ModelUnavailable, match="has no output '3'"):
        loaded(folder, attributes=[("3", 1.0)])
    with pytest.raises(ModelUnavailable, match="chosen twice"):
        loaded(folder, attributes=[("0", 1.0), ("helpfulness", 1.0)])


def test_an_encoder_has_the_outputs_of_its_weights(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "rm")
    tokens = len(AutoTokenizer.from_pretrained(folder))
    torch.manual_seed(2)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = BertForSequenceClassification(BertConfig(vocab_size=tokens, num_labels=3, initializer_range=0.5, **sizes))
    model.save_pretrained(folder)
    settings(folder, ("id2label", "label2id"))
    with torch.no_grad():
        logits = torch.cat([model.eval()(input_ids=ids).logits for ids in ids_of(folder)]).numpy()
    np.testing.assert_allclose(scores(folder, attributes=[("2", 1.0)]), logits[:, 2], atol=1e-4)


def test_what_is_missing_or_left_over_is_named(tmp_path: Path) -> None:
    for name, change, says in (
        ("missing", lambda w: w.pop("model.layers.1.mlp.up_proj.weight"), r"lacks layers\.1\.mlp\.up_proj\.weight"),
        ("left", lambda w: w.update({"gating.0.weight": random(2, 2)}), r"not one linear layer.*gating\.0\.weight"),
        ("deep", lambda w: w.update({"score.2.weight": random(1, 16)}), r"not one linear layer.*score\.2\.weight"),
        ("within", lambda w: w.update({"model.layers.0.extra": random(2)}), r"does not use, .*layers\.0\.extra"),
        ("shape", lambda w: w.update({"model.norm.weight": random(9)}), r"another shape .*norm\.weight"),
    ):
        folder = checkpoint(tmp_path / name)
        reshaped(folder, change)
        with pytest.raises(ModelUnavailable, match=says):
            loaded(folder)


def test_constants_that_old_versions_saved_are_no_weights(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "rm")
    plain = scores(folder)
    reshaped(folder, lambda weights: weights.update({"model.layers.0.self_attn.rotary_emb.inv_freq": random(4)}))
    np.testing.assert_allclose(scores(folder), plain, atol=1e-5)


def test_adapters_that_cannot_be_merged_are_named(tmp_path: Path) -> None:
    base, query = checkpoint(tmp_path / "base"), "model.layers.0.self_attn.q_proj"
    whole = pair(query, HIDDEN, HIDDEN)
    half = {name: tensor for name, tensor in whole.items() if "lora_A" in name}
    for name, weights, changed, says in (
        ("kind", whole, {"peft_type": "IA3"}, "peft_type is 'IA3'"),
        (
            "elsewhere",
            pair("model.layers.7.self_attn.q_proj", 16, 16),
            {},
            r"changes model\.layers\.7\.self_attn\.q_proj",
        ),
        ("half", half, {}, "only one half of the pair"),
        ("wide", pair(query, 24, HIDDEN), {}, r"change is \[24, 16\], the base's weight is \[16, 16\]"),
        ("dora", whole | {f"{query}.lora_magnitude_vector": random(16)}, {}, "lora_magnitude_vector, which is no"),
        ("nested", whole, {"base_model_name_or_path": str(tmp_path / "half")}, "is an adapter too"),
        ("lost", whole, {"base_model_name_or_path": ""}, "name the base model"),
    ):
        with pytest.raises(ModelUnavailable, match=says):
            loaded(adapter(tmp_path / name, base, weights, **changed))
    both = checkpoint(tmp_path / "both")
    (both / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelUnavailable, match="the weights of a whole model and adapter_config"):
        loaded(both)


@pytest.mark.parametrize(
    "names", [["pytorch_model.bin"], ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]]
)
def test_the_line_that_refuses_pickles_converts_them(names: list[str], tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "rm")
    plain, weights = scores(folder), load_file(folder / "model.safetensors")
    for number, name in enumerate(names):
        part = dict(list(weights.items())[number :: len(names)])
        torch.save(part, folder / name)
    torch.save({"lr": 1.0}, folder / "training_args.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelUnavailable, match="pickles, which can run any code") as refused:
        loaded(folder)
    line = str(refused.value).partition("convert them: ")[2]
    assert "\n" not in line
    subprocess.run(["bash", "-c", line.replace("python ", f"{sys.executable} ", 1)], check=True, timeout=120)
    np.testing.assert_allclose(scores(folder), plain, atol=1e-5)


def test_weights_in_several_files_are_read_by_their_index(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "rm")
    plain, weights = scores(folder), load_file(folder / "model.safetensors")
    parts = {f"model-{number}.safetensors": dict(list(weights.items())[number::2]) for number in (0, 1)}
    for name, part in parts.items():
        save_file(part, folder / name)
    save_file({name: 9 * tensor for name, tensor in weights.items()}, folder / "consolidated.safetensors")
    (folder / "model.safetensors").unlink()
    index = {key: name for name, part in parts.items() for key in part}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    np.testing.assert_allclose(scores(folder), plain, atol=1e-5)
    (folder / "model-1.safetensors").unlink()
    with pytest.raises(ModelUnavailable, match=r"has no model-1\.safetensors"):
        loaded(folder)


def test_outputs_are_chosen_by_number_where_they_have_no_names() -> None:
    assert output_weights(["0", "1"], [("1", 2.0)], "rm") == [0.0, 2.0]
    head = Head("score", torch.eye(2), torch.tensor([1.0, 0.0]), mean=1.0, std=2.0)
    np.testing.assert_allclose(head.outputs(torch.tensor([[3.0, 5.0]])).numpy(), [[1.5, 2.0]])
