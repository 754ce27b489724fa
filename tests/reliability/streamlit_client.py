"""A browser session without the browser: speaks Streamlit's protocol over a websocket, protobuf by protobuf.

It keeps what a browser keeps: the widgets that the page showed last, their values, the address, and which parts of the
page are run again every few seconds. It draws nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import connect

_PATIENCE_S = 120.0
_LISTS = {"button_group": "raw_values", "multiselect": "raw_values", "slider": "raw_value"}


@dataclass(frozen=True)
class Widget:
    """A control as the page described it: its id and key, kind, description, and the fragment that it is in."""

    id: str
    kind: str
    proto: Any
    fragment_id: str

    @property
    def options(self) -> Sequence[str]:
        """What can be chosen, as the page shows it; empty for what is no choice of a few."""
        if self.kind == "button_group":
            return [option.content for option in self.proto.options]
        return list(getattr(self.proto, "options", ()))


@dataclass
class Answer:
    """What came back for one request: how long it took, and the exceptions that the page shows."""

    seconds: float = 0.0
    exceptions: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


@dataclass
class _Repeated:
    """A fragment that runs every so many seconds, and when it does next."""

    every_s: float
    due: float


class Session:
    """One visitor's connection. `widgets` are those of the last answer, by id; `title` is its first heading."""

    def __init__(self, address: str, page: str, query: str = "") -> None:
        self._page, self._query, self._hash = page, query, ""
        self.session_id = ""
        self.title = ""
        self.widgets: dict[str, Widget] = {}
        self._values: dict[str, WidgetState] = {}
        self._repeated: dict[str, _Repeated] = {}
        self._open = ExitStack()
        self._socket = self._open.enter_context(
            connect(
                f"{address.replace('http', 'ws')}/_stcore/stream",
                subprotocols=["streamlit"],  # type: ignore[list-item]
                max_size=None,
                open_timeout=_PATIENCE_S,
            )
        )

    def close(self) -> None:
        self._open.close()

    def load(self) -> Answer:
        """Open the page."""
        message = BackMsg()
        message.rerun_script.query_string = self._query
        message.rerun_script.page_name = self._page
        return self._ask(message)

    def change(self, widget: Widget, value: object) -> Answer:
        """Set a control and wait until the page has been run again."""
        state = WidgetState(id=widget.id)
        if widget.kind in ("button", "download_button"):
            state.trigger_value = True
        elif isinstance(value, bool):
            state.bool_value = value
        elif isinstance(value, float):
            state.double_value = value
        elif widget.kind in _LISTS:
            state.string_array_value.data.extend(value if isinstance(value, list) else [str(value)])
        else:
            state.string_value = str(value)
        return self.send(state, widget.fragment_id)

    def send(self, state: WidgetState, fragment_id: str = "") -> Answer:
        """Any state of any widget, whether the page shows one or not."""
        message = self._rerun(fragment_id)
        states = message.rerun_script.widget_states.widgets
        kept = [known for known in states if known.id != state.id]
        del states[:]
        states.extend([*kept, state])
        if not state.HasField("trigger_value"):
            self._values[state.id] = state
        return self._ask(message)

    def wait(self, seconds: float) -> list[Answer]:
        """Look at the page for so long; what the page runs again meanwhile is answered for."""
        until, answers = time.monotonic() + seconds, []
        while True:
            fragment_id, due = min(
                ((name, repeated.due) for name, repeated in self._repeated.items()),
                key=lambda entry: entry[1],
                default=("", until),
            )
            time.sleep(max(0.0, min(due, until) - time.monotonic()))
            if due >= until:
                return answers
            self._repeated[fragment_id].due = time.monotonic() + self._repeated[fragment_id].every_s
            message = self._rerun(fragment_id)
            message.rerun_script.is_auto_rerun = True
            answers.append(self._ask(message))

    def _rerun(self, fragment_id: str) -> BackMsg:
        message = BackMsg()
        client = message.rerun_script
        client.query_string, client.page_script_hash, client.fragment_id = self._query, self._hash, fragment_id
        client.widget_states.widgets.extend(known for name, known in self._values.items() if name in self.widgets)
        return message

    def _ask(self, message: BackMsg) -> Answer:
        begun, answer = time.perf_counter(), Answer()
        self._socket.send(message.SerializeToString())
        fresh: dict[str, Widget] = {}
        while True:
            received = self._socket.recv(timeout=_PATIENCE_S)
            forward = ForwardMsg.FromString(received if isinstance(received, bytes) else received.encode())
            kind = forward.WhichOneof("type")
            if kind == "new_session":
                self.session_id = forward.new_session.initialize.session_id or self.session_id
                self._hash = forward.new_session.page_script_hash
                fresh = {}
                if not forward.metadata.run.fragment_ids:
                    self._repeated.clear()
            elif kind == "navigation":  # the page itself: `new_session` names the script that all pages share
                self._hash = forward.navigation.page_script_hash
            elif kind == "page_info_changed":
                self._query = forward.page_info_changed.query_string
            elif kind == "auto_rerun":
                every_s = forward.auto_rerun.interval
                self._repeated[forward.auto_rerun.fragment_id] = _Repeated(every_s, time.monotonic() + every_s)
            elif kind == "stop_auto_rerun":
                for fragment_id in forward.stop_auto_rerun.fragment_ids:
                    self._repeated.pop(fragment_id, None)
            elif kind == "delta":
                self._take(forward.delta, fresh, answer)
            elif kind == "script_finished":
                # a script that was given up for a newer one says so, and the newer one is waited for
                if forward.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    continue
                part = forward.script_finished == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
                break
        self.widgets = self.widgets | fresh if part else fresh
        answer.seconds = time.perf_counter() - begun
        return answer

    def _take(self, delta: Any, fresh: dict[str, Widget], answer: Answer) -> None:
        if delta.WhichOneof("type") != "new_element":
            return
        kind = delta.new_element.WhichOneof("type")
        proto = getattr(delta.new_element, kind) if kind else None
        if kind == "exception":
            answer.exceptions.append(f"{proto.type}: {proto.message}")
        elif kind == "heading" and proto.tag == "h1":
            self.title = proto.body
        elif kind in ("markdown", "alert"):
            answer.texts.append(proto.body)
        elif isinstance(proto, Message) and getattr(proto, "id", "") and hasattr(proto, "label"):
            fresh[proto.id] = Widget(proto.id, str(kind), proto, delta.fragment_id)
            if getattr(proto, "set_value", False):
                self._values.pop(proto.id, None)


def keyed(session: Session, key: str) -> Widget:
    """The widget of that key."""
    return next(_with_key(session, key))


def has_key(session: Session, key: str) -> bool:
    return any(True for _ in _with_key(session, key))


def _with_key(session: Session, key: str) -> Iterator[Widget]:
    return (widget for widget in session.widgets.values() if widget.id.endswith(f"-{key}"))
