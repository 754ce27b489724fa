"""Turn-marked text: there and back, and what a prompt and its opening are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data_sets.conversations import (
    Message,
    first_user_turn,
    from_marked_text,
    from_prompt,
    from_template,
    pair_of_conversations,
    prompt_text,
    to_marked_text,
)
from pipeline.data_sets.pairs import Pair, Reason

MARKS = ("\n\nHuman:", "\n\nAssistant:", "\n\nSystem:")
contents = (
    st.text(st.characters(exclude_categories=["Cs"]))
    .map(str.strip)
    .filter(lambda text: not any(mark in "\n\n" + text for mark in MARKS))
)
conversations = st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), contents), min_size=1)


@given(conversations)
def test_marked_text_gives_its_messages_back(messages: list[Message]) -> None:
    assert from_marked_text(to_marked_text(messages)) == messages


@given(conversations, contents)
def test_the_opening_of_a_prompt_is_its_first_user_turn(messages: list[Message], first: str) -> None:
    before = [message for message in messages if message.role != "user"]
    conversation = [*before, Message("user", first), *messages]
    assert first_user_turn(prompt_text(conversation)) == first


@given(conversations, contents, contents)
def test_two_conversations_that_share_all_but_the_last_turn_are_a_pair(
    messages: list[Message], chosen: str, rejected: str
) -> None:
    found = pair_of_conversations(
        [*messages, Message("assistant", chosen)], [*messages, Message("assistant", rejected)]
    )
    assert found == Pair(prompt_text(messages), chosen, rejected)
    other = [Message("user", messages[0].content + "!"), *messages[1:], Message("assistant", rejected)]
    assert pair_of_conversations([*messages, Message("assistant", chosen)], other) == Reason.PROMPTS_DIFFER


def test_text_that_starts_without_a_mark_has_no_turns() -> None:
    assert from_marked_text("Hello\n\nHuman: Hi") == []
    assert from_marked_text("Human: Hi \n\nAssistant:") == [Message("user", "Hi"), Message("assistant", "")]
    assert first_user_turn(" What is\n\nHuman: for? ") == "What is\n\nHuman: for?"


TURNS = [Message("system", "Be brief."), Message("user", "A pun?\n\nNow."), Message("assistant", "Toucan play.")]
TEMPLATES = {
    "ChatML": "<|im_start|>{role}\n{content}<|im_end|>\n",
    "Llama 3": "<|start_header_id|>{role}<|end_header_id|>\n\n{content}<|eot_id|>",
    "Zephyr": "<|{role}|>\n{content}</s>\n",
    "Guanaco": "### {role}: {content}\n",
}


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_text_that_a_template_wrote_gives_its_messages_back(template: str) -> None:
    def written(turns: list[Message]) -> str:
        names = {"user": "Human", "assistant": "Assistant", "system": "System"} if template == "Guanaco" else {}
        return "".join(
            TEMPLATES[template].format(role=names.get(role, role), content=content) for role, content in turns
        )

    assert from_template(written(TURNS)) == TURNS
    assert from_prompt(written([*TURNS[:2], Message("assistant", "")])) == TURNS[:2]
    assert from_template("As they say:\n" + written(TURNS)) == []


@given(st.text())
def test_a_prompt_without_marks_is_one_user_turn(text: str) -> None:
    assert from_prompt(text) == [Message("user", text)]
