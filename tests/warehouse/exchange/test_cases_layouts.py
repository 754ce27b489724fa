"""The public forms of score files in ../shared/cases go in whole: scorers, prompts, responses, texts and labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from pipeline.runs.exchange import Imported, import_files
from tests.warehouse.exchange.conftest import tables
from warehouse.errors import InvalidRows

CASES = Path(__file__).parents[3].parent / "shared" / "cases"
THREE = ("big", "mid", "tiny")

pytestmark = pytest.mark.skipif(not CASES.exists(), reason="../shared/cases is not beside this clone")


class Case(NamedTuple):
    """Files of a case, and what is right: reward models, numbers of prompts and of responses, a label scorer, notes."""

    folder: str
    files: str | Sequence[str]
    models: tuple[str, ...] = THREE
    prompts: int = 8
    responses: int = 4
    labelled: bool = False
    said: str = ""


def three(ending: str) -> list[str]:
    return [f"{name}{ending}" for name in THREE]


ORG = tuple(f"org/{name}" for name in THREE)
WHOLE = [
    Case("01-rewardbench2-scores", three(".json"), ORG, labelled=True),
    Case("03-rewardbench2-duplicate-ids", three(".json"), ORG, prompts=5, labelled=True, said="told apart"),
    Case("03b-rewardbench1-duplicate-ids", three(".jsonl"), prompts=4, responses=2, labelled=True, said="told apart"),
    Case("04-responses-and-rewards-lists", three(".jsonl")),
    Case("04b-responses-and-rewards-text-prompt", three(".jsonl")),
    Case("06-openrlhf-batch-rm", three(".jsonl")),
    Case("07-llamafactory-predictions", three("/generated_predictions.jsonl"), responses=2, labelled=True),
    Case("08-grm-eval-csv", three(".csv"), responses=2, labelled=True),
    Case("10-ppe-best-of-k", three(".json"), labelled=True),
    Case("11-ppe-human", three(".json"), responses=2, labelled=True),
    Case("13-judgebench", three(".jsonl"), ORG, responses=2, labelled=True),
    Case("14-rewardbench-cli", three("_outputs.jsonl"), responses=2, labelled=True, said="chat template"),
    Case("15-rewardbench1-object", three(".json"), ORG, responses=2, labelled=True),
    Case("18b-wide-text-metadata", ["wide.csv"], said="left out column generator"),
    Case("18c-long-metadata", ["long.jsonl"], said="left out columns tokens, generator"),
    Case("26-ids", ["texts-no-ids.jsonl"]),
    *(
        Case("29-pair-score-names", [f"{part}/{name}.jsonl" for name in THREE], responses=2, labelled=True)
        for part in "abcde"
    ),
    Case("32-ultrafeedback-as-scores", ["ultra.jsonl"], ("fine-grained_score", "overall_score")),
    Case(
        "37-same-file-names",
        ["orgA/rm-8b.json", "orgB/rm-8b.json"],
        ("orgA/rm-8b", "orgB/rm-8b"),
        responses=2,
        labelled=True,
    ),
    Case("44-templates-differ", three(".jsonl"), responses=2, labelled=True, said="texts of big.jsonl"),
]


def imported(data: Path, folder: str, files: Sequence[str]) -> Imported:
    return import_files(data, [CASES / folder / name for name in files], "theirs", "auto")


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: f"{case.folder}:{case.files[0]}")
def test_a_public_form_goes_in_whole(data: Path, case: Case) -> None:
    done = imported(data, case.folder, case.files)
    stored = tables(data)
    models = [*case.models, "label"] if case.labelled else list(case.models)
    assert sorted(stored["reward_model"]["reward_model_id"]) == sorted(models)
    assert stored["prompt"].filter(split="rm_test").height == case.prompts
    assert stored["response"].height == 2 * case.prompts * case.responses
    assert stored["score"].height == 2 * case.prompts * case.responses * len(models)
    assert case.said in "\n".join(done.notes)
    counted = f"{len(case.models)} reward models"
    counted += " and 1 golden-only scorer (label)" if case.labelled else ""
    assert done.counts.startswith(f"{counted}, {case.prompts} prompts, {case.prompts * case.responses} responses, ")


def scores_of(data: Path, model: str, prompt: str) -> list[float]:
    stored = tables(data)
    joined = stored["score"].filter(reward_model_id=model).join(stored["response"], on="response_id")
    rows = joined.filter(prompt_id=f"{prompt}#rm").sort("sample")
    return [round(value, 4) for value in rows["score"]]


def test_the_first_of_rewardbench_2_are_chosen_and_subsets_are_kept(data: Path) -> None:
    imported(data, "01-rewardbench2-scores", three(".json"))
    assert scores_of(data, "org/big", "Math/0") == [-0.7019, 0.3364, -0.1679, -0.4068]
    assert scores_of(data, "label", "Math/0") == [1.0, 0.0, 0.0, 0.0]
    assert set(tables(data)["prompt"]["subset"]) == {"Math", "Safety", "Focus", "Factuality", "Precise IF"}


def test_prompts_of_ties_have_as_many_responses_as_they_have(data: Path) -> None:
    imported(data, "02-rewardbench2-ties", three(".json"))
    stored = tables(data)
    counts = stored["response"].group_by("prompt_id").len().join(stored["prompt"], on="prompt_id")
    ties = counts.filter(pl.col("subset").str.to_lowercase() == "ties", split="rm_test")
    assert sorted(ties["len"]) == [4, 5, 7, 9]
    assert set(counts.filter(pl.col("subset").str.to_lowercase() != "ties")["len"]) == {4}


def test_prompts_of_messages_are_texts(data: Path) -> None:
    imported(data, "04-responses-and-rewards-lists", three(".jsonl"))
    assert "Name item 1 of the made-up list." in set(tables(data)["prompt"]["text"])
    assert scores_of(data, "tiny", "prompt-000001") == [-1.5671, 2.1215, 0.3259, -0.4652]


def test_a_winner_is_chosen(data: Path) -> None:
    imported(data, "11-ppe-human", three(".json"))
    assert [scores_of(data, "label", f"q{number}") for number in (1, 2)] == [[1.0, 0.0], [0.0, 1.0]]
    assert tables(data)["preference"].height == 8


def test_a_label_of_judgebench_says_which_is_right(data: Path) -> None:
    imported(data, "13-judgebench", three(".jsonl"))
    assert [scores_of(data, "label", f"pair-{number}") for number in (1, 2)] == [[1.0, 0.0], [0.0, 1.0]]
    assert scores_of(data, "org/big", "pair-1") == [-0.7019, 0.3364]


def test_right_and_wrong_of_best_of_k_are_labels(data: Path) -> None:
    imported(data, "10-ppe-best-of-k", three(".json"))
    assert scores_of(data, "label", "q1") == [1.0, 0.0, 1.0, 0.0]
    assert scores_of(data, "big", "q1") == [-0.7019, 0.3364, -0.1679, -0.4068]


def test_plain_texts_of_the_command_line_are_stored(data: Path) -> None:
    imported(data, "14-rewardbench-cli", three("_outputs.jsonl"))
    assert "Made-up answer 0 to item 1." in set(tables(data)["response"]["text"])


def test_texts_in_templates_are_the_first_files(data: Path) -> None:
    imported(data, "44-templates-differ", three(".jsonl"))
    texts = tables(data)["response"]["text"]
    assert texts.str.starts_with("<s>Human: ").all()


def test_single_answer_judgments_have_turns_and_missing_scores(data: Path) -> None:
    done = imported(data, "46-mt-bench-single-judgments", ["judge_single.jsonl"])
    stored = tables(data)
    assert stored["reward_model"]["reward_model_id"].to_list() == list(THREE)
    assert stored["prompt"].filter(split="rm_test").height == 16
    assert stored["response"].height == 2 * (16 * 4 - 1)
    assert "1 judgment" in "\n".join(done.notes)


@pytest.mark.parametrize("pairs", ["messages", "trailing-blank", "ok", "data-set-columns"])
def test_preferences_beside_scores_give_validation_accuracy(data: Path, pairs: str) -> None:
    imported(data, "36-preferences-beside-scores", ["answers.jsonl", f"pairs-{pairs}.jsonl"])
    models = tables(data)["reward_model"]
    assert dict(models.select("reward_model_id", "validation_accuracy").iter_rows()) == {
        "big": 0.5,
        "mid": 0.5,
        "tiny": 0.375,
    }


def test_a_preference_is_of_the_prompt_that_has_its_responses(data: Path) -> None:
    imported(data, "40-same-prompt-twice", ["answers.jsonl", "pairs.jsonl"])
    assert tables(data)["reward_model"]["validation_accuracy"].null_count() == 0


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("30-multi-attribute", r"big\.jsonl, row 1 .*column scores_chosen: got 2 scores for one text"),
        ("31-pairwise-judge", r"big\.jsonl, column results: results without scores; .*score of each response"),
    ],
)
def test_what_cannot_go_in_says_why(data: Path, folder: str, message: str) -> None:
    with pytest.raises(InvalidRows, match=message):
        imported(data, folder, three(".jsonl"))
    assert not data.exists()
