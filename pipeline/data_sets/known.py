"""The data sets that are known by name: the columns that identify each, how its rows become pairs, and where ties are.

Columns are those that the Hugging Face hub serves. Test sets: RewardBench (arXiv 2403.13787), RewardBench 2
(2506.01937), RM-Bench (2410.16184), RMB (2410.09893), JudgeBench (2410.12784), PPE (2410.14872). The training mix of
the paper (2410.05584): Nectar, UltraFeedback (2310.01377), PKU-SafeRLHF (2406.15513), Orca pairs,
Capybara-7K-binarized, HH-RLHF (2204.05862), MT-Bench's human judgments and Chatbot Arena (both 2306.05685). A file that
is none of them is read by the general forms in `recognise.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.data_sets import labels
from pipeline.data_sets.forms import Sides, Votes
from pipeline.data_sets.labels import LabelColumns
from pipeline.data_sets.prompts import PromptColumns
from pipeline.data_sets.ranked import Ranked, Rated
from pipeline.data_sets.verdicts import FirstIfOne, Index, Named, OneEach, Scores, Sign

REWARDBENCH_ROWS, REWARDBENCH_PROMPTS = 2985, 2733
"""Rows of RewardBench's filtered split, and its distinct prompts as the paper counts them."""

ANY, TEXT, MARKED, ENCODED = "anything", "a text", "a text with marked turns", "a list of texts, also written as text"
TEXTS, OBJECT, OBJECTS, MESSAGES = "a list of texts", "an object", "a list of objects", "messages"
"""What a column holds."""

Form = Sides | Votes | Ranked | Rated


@dataclass(frozen=True)
class DataSet:
    """One schema: `needs` maps columns to what they hold, of `one_of` it has one at least, and of `absent` none.

    Without a `prompt` its columns are looked up by the common names. `hub` says where the data set is from.
    """

    name: str
    hub: str
    needs: Mapping[str, str]
    form: Form
    prompt: PromptColumns | None = None
    labels: LabelColumns = labels.GIVEN
    one_of: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


_PROMPT = {"prompt": TEXT}
_TEXT_SIDES, _LIST_SIDES, _ENCODED_SIDES, _MESSAGE_SIDES, _MARKED_SIDES = (
    {"chosen": kind, "rejected": kind} for kind in (TEXT, TEXTS, ENCODED, MESSAGES, MARKED)
)
_RATED = {"rating_chosen": ANY, "rating_rejected": ANY}
_SCORED = {"score_chosen": ANY, "score_rejected": ANY}
_PKU = {"response_0": TEXT, "response_1": TEXT, "better_response_id": ANY}
_VOTES = {"conversation_a": MESSAGES, "conversation_b": MESSAGES, "winner": TEXT}
_TURNS = _VOTES | {"turn": ANY}
_ARENA_55K = {"response_a": ENCODED, "response_b": ENCODED, "winner_model_a": ANY, "winner_model_b": ANY}
_HELPSTEER = {"response": TEXT, "helpfulness": ANY, "correctness": ANY, "coherence": ANY}
_SHP = {"history": TEXT, "human_ref_A": TEXT, "human_ref_B": TEXT, "labels": ANY}
_WEBGPT = {"question": OBJECT, "answer_0": TEXT, "answer_1": TEXT, "score_0": ANY, "score_1": ANY}
_ALPACA_FARM = {"instruction": TEXT, "output_1": TEXT, "output_2": TEXT, "preference": ANY}
_JUDGEBENCH = {"question": TEXT, "response_A": TEXT, "response_B": TEXT, "label": TEXT}
_RMB = {"conversation_input": MESSAGES}

_AT_PROMPT, _AT_INSTRUCTION, _AT_QUESTION = (PromptColumns(name) for name in ("prompt", "instruction", "question"))
_IN_CONVERSATION = PromptColumns()
_PKU_VERDICT = Index(("better_response_id", "safer_response_id"))
_CONVERSATIONS = Votes("conversation_a", "conversation_b", Named("winner"))
_TURN_BY_TURN = Votes("conversation_a", "conversation_b", Named("winner"), turn="turn")
_ONE_EACH = OneEach("winner_model_a", "winner_model_b", ("winner_tie", "winner_tie (bothbad)", "winner_tie_both_bad"))

DATA_SETS = (
    # Ranked and rated responses.
    DataSet(
        "nectar",
        "berkeley-nest/Nectar",
        _PROMPT | {"answers": OBJECTS},
        Ranked(("answers",), keys=("rank",), lowest_is_best=True),
        _AT_PROMPT,
    ),
    DataSet(
        "ultrafeedback",
        "openbmb/UltraFeedback",
        {"instruction": TEXT, "completions": OBJECTS},
        Ranked(("completions",), keys=("fine-grained_score", "overall_score")),
        _AT_INSTRUCTION,
    ),
    DataSet("helpsteer2", "nvidia/HelpSteer2", _PROMPT | _HELPSTEER, Rated("response", "helpfulness"), _AT_PROMPT),
    # Two responses and a verdict.
    DataSet(
        "pku-saferlhf",
        "PKU-Alignment/PKU-SafeRLHF",
        _PROMPT | _PKU,
        Votes("response_0", "response_1", _PKU_VERDICT),
        _AT_PROMPT,
        labels.SAFETY,
    ),
    DataSet(
        "chatbot-arena",
        "lmsys/chatbot_arena_conversations, lmarena-ai/arena-human-preference-100k",
        _TURNS | {"tstamp": ANY},
        _TURN_BY_TURN,
        _IN_CONVERSATION,
    ),
    DataSet("mt-bench-human", "lmsys/mt_bench_human_judgments", _TURNS, _TURN_BY_TURN, _IN_CONVERSATION),
    DataSet("arena-140k", "lmarena-ai/arena-human-preference-140k", _VOTES, _CONVERSATIONS, _IN_CONVERSATION),
    DataSet(
        "arena-55k",
        "lmarena-ai/arena-human-preference-55k",
        {"prompt": ENCODED} | _ARENA_55K,
        Votes("response_a", "response_b", _ONE_EACH, dialogue=True),
        _AT_PROMPT,
    ),
    DataSet(
        "helpsteer2-preference",
        "nvidia/HelpSteer2, preference/",
        _PROMPT | {"response_1": TEXT, "response_2": TEXT, "preference_strength": ANY},
        Votes("response_1", "response_2", Sign("preference_strength")),
        _AT_PROMPT,
    ),
    DataSet(
        "helpsteer3",
        "nvidia/HelpSteer3",
        {"context": MESSAGES, "response1": TEXT, "response2": TEXT, "overall_preference": ANY},
        Votes("response1", "response2", Sign("overall_preference")),
        PromptColumns("context"),
        labels.DOMAIN_IS_CATEGORY,
    ),
    DataSet(
        "shp",
        "stanfordnlp/SHP",
        _SHP,
        Votes("human_ref_A", "human_ref_B", FirstIfOne("labels"), ("score_A", "score_B")),
        PromptColumns("history"),
        labels.DOMAIN_IS_SUBSET,
    ),
    DataSet(
        "webgpt", "openai/webgpt_comparisons", _WEBGPT, Votes("answer_0", "answer_1", Scores("score_0", "score_1"))
    ),
    DataSet(
        "summarize-from-feedback",
        "openai/summarize_from_feedback, comparisons",
        {"info": OBJECT, "summaries": OBJECTS, "choice": ANY},
        Votes("summaries", "summaries", Index(("choice",))),
        PromptColumns("info"),
    ),
    DataSet(
        "alpaca-farm",
        "tatsu-lab/alpaca_farm",
        _ALPACA_FARM,
        Votes("output_1", "output_2", Index(("preference",), base=1)),
        PromptColumns("instruction", extra="input"),
    ),
    DataSet(
        "judgebench",
        "ScalerLab/JudgeBench",
        _JUDGEBENCH,
        Votes("response_A", "response_B", Named("label")),
        _AT_QUESTION,
        labels.JUDGEBENCH,
    ),
    DataSet(
        "ppe-human",
        "lmarena-ai/PPE-Human-Preference-V1",
        _PROMPT | {"response_1": TEXT, "response_2": TEXT, "winner": TEXT},
        Votes("response_1", "response_2", Named("winner")),
        _AT_PROMPT,
    ),
    # Chosen and rejected responses.
    DataSet(
        "rmb",
        "Zhou-Zoey/RMB-Reward-Model-Benchmark, pairs",
        _RMB | {"chosen": OBJECT, "reject": OBJECT},
        Sides("chosen", "reject"),
        labels=labels.RMB,
    ),
    DataSet(
        "rmb-best-of-n",
        "Zhou-Zoey/RMB-Reward-Model-Benchmark, best of n",
        _RMB | {"bon_best": OBJECT, "loser_list": OBJECTS},
        Sides("bon_best", "loser_list"),
        labels=labels.RMB,
    ),
    DataSet("capybara", "argilla/distilabel-capybara-dpo-7k-binarized", _MESSAGE_SIDES | _RATED, Sides()),
    DataSet("ultrafeedback-binarized", "HuggingFaceH4/ultrafeedback_binarized", _MESSAGE_SIDES | _SCORED, Sides()),
    DataSet(
        "rewardbench-2",
        "allenai/reward-bench-2",
        _PROMPT | _ENCODED_SIDES | {"subset": TEXT, "num_correct": ANY},
        Sides(),
        _AT_PROMPT,
        labels.REWARDBENCH_2,
    ),
    DataSet(
        "rm-bench",
        "THU-KEG/RM-Bench",
        _PROMPT | _LIST_SIDES,
        Sides(),
        _AT_PROMPT,
        labels.RM_BENCH,
        one_of=("domain", "subset"),
    ),
    DataSet(
        "rewardbench",
        "allenai/reward-bench",
        _PROMPT | _TEXT_SIDES | {"subset": TEXT, "chosen_model": ANY},
        Sides(),
        _AT_PROMPT,
    ),
    DataSet(
        "orca", "Intel/orca_dpo_pairs", {"question": TEXT} | _TEXT_SIDES, Sides(), absent=("prompt", "instruction")
    ),
    DataSet(
        "orca-argilla",
        "argilla/distilabel-intel-orca-dpo-pairs",
        {"input": TEXT, "status": ANY} | _TEXT_SIDES,
        Sides(status="status"),
        absent=("prompt", "instruction"),
    ),
    DataSet("hh-rlhf", "Anthropic/hh-rlhf", _MARKED_SIDES, Sides(), _IN_CONVERSATION, absent=("prompt",)),
)
"""In the order in which they are tried; the first that fits is used."""
