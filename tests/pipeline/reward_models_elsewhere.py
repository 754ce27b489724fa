"""Reward models made elsewhere, for tests: a tiny real checkpoint of transformers, and a real local reward server."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

from pipeline.models.embedded import provision
from pipeline.scoring.texts import Text

Answer = Callable[[dict[str, Any]], tuple[int, bytes]]


def checkpoint(
    folder: Path, labels: int = 1, padding: bool = True, template: bool = True, causal: bool = False, **changed: Any
) -> Path:
    """A Llama of two layers with random weights and the embedded model's tokenizer, as `save_pretrained` leaves it."""
    tokenizer: Any = AutoTokenizer.from_pretrained(provision())
    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 2048,
        "initializer_range": 0.5,
        "pad_token_id": tokenizer.pad_token_id if padding else None,
        "num_labels": labels,
    }
    torch.manual_seed(7)
    model = (LlamaForCausalLM if causal else LlamaForSequenceClassification)(LlamaConfig(**{**settings, **changed}))
    model.save_pretrained(folder)
    if not template:
        tokenizer.chat_template = None
    tokenizer.save_pretrained(folder)
    return folder


@torch.no_grad()
def plain_scores(folder: Path, texts: list[Text]) -> np.ndarray:
    """One text at a time through transformers alone, in float32: the reference."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model = LlamaForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    scores = []
    for prompt, response in texts:
        turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        ids = tokenizer.apply_chat_template(turns, tokenize=True, return_dict=True, return_tensors="pt")["input_ids"]
        scores.append(model(input_ids=ids).logits.item())
    return np.array(scores, dtype=np.float32)


def reward_of(query: str) -> float:
    """A score that hangs on every letter of the query, between 0 and 1."""
    return int(hashlib.sha256(query.encode()).hexdigest()[:8], 16) / 2**32


def rewards(asked: dict[str, Any]) -> tuple[int, bytes]:
    """What a server in order answers."""
    found = [reward_of(query) for query in asked["query"]]
    return 200, json.dumps({"rewards": found, "scores": found, "extra_logs": {}}).encode()


class Server:
    """What a running server was asked, and what it answers; both may be changed while it runs."""

    def __init__(self, url: str, answer: Answer) -> None:
        self.url, self.answer = url, answer
        self.asked: list[dict[str, Any]] = []


@contextmanager
def serving(
    answer: Answer = rewards, location: str | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    """A reward server on a port of this machine; `location` is where its redirects lead, with `tls` it speaks https."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append(asked)
            status, body = server.answer(asked)
            self.send_response(status)
            if location is not None:
                self.send_header("Location", location)
            self.send_header("Content-Type", "application/json")  # OpenRLHF reads no other answer
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        http.socket = tls.wrap_socket(http.socket, server_side=True)
    server = Server(f"http{'s' if tls else ''}://127.0.0.1:{http.server_address[1]}/reward", answer)
    thread = Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
