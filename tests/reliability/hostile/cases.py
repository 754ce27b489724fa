"""Hostile and broken input: how a case is drawn, and what being refused means.

A case is drawn by a seeded generator and given to the project's own front door. It is either accepted, and then what
came of it is whole, or refused by one of the project's errors in one line, and then the data folder is as it was.
Anything else is an error that ends the fuzzing.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from pipeline.errors import PipelineError
from tests.warehouse.exchange.test_import_fuzz import WORDS
from warehouse.errors import WarehouseError

REFUSED = (PipelineError, WarehouseError)

NASTY = ("", " ", "\0", "\n", "\r\n", "..", "../../etc/passwd", "/etc/passwd", "a/b", "~", ".", ".hidden", "-rf", "CON")
NASTY += ("$(touch x)", "`id`", "; rm -rf /", "' OR 1=1 --", "'; DROP TABLE run; --", '"', "%s%n", "{0}", "%00", "é")
NASTY += ("<script>alert(1)</script>", "\u202e", "\ud800", "９", "nan", "inf", "-inf", "1e999", "-1", "0x10", "1_000")
NASTY += ("9" * 400, "9" * 5000, "a" * 300, "long " * 2000, "null", "true", "[]")
"""Texts that have broken something somewhere."""


def hostile_text(rng: Random) -> str:
    """A nasty text or some of them joined, or characters of the first blocks of Unicode."""
    if rng.random() < 0.3:
        return "".join(chr(rng.choice([rng.randrange(128), rng.randrange(0x3000)])) for _ in range(rng.randint(0, 12)))
    return "".join(rng.choice(NASTY) for _ in range(rng.choice([1, 1, 1, 2, 3])))


def hostile_value(rng: Random, depth: int = 2) -> Any:
    """Anything that JSON can hold, and some that it cannot."""
    if depth and rng.random() < 0.3:
        return [hostile_value(rng, depth - 1) for _ in range(rng.randint(0, 3))]
    if depth and rng.random() < 0.1:
        return {hostile_text(rng): hostile_value(rng, depth - 1)}
    numbers = [
        0,
        1,
        7,
        -1,
        2**31,
        2**63,
        10**400,
        10**5000,
        0.5,
        0.0,
        -0.5,
        0.1,
        0.25,
        1e300,
        float("nan"),
        float("inf"),
    ]
    return rng.choice([None, True, False, *numbers, "Chat", "Math", "0.2", hostile_text(rng)])


def mutated(rng: Random, content: bytes) -> bytes:
    """Some places cut out, doubled, overwritten or flipped by a bit; one in eight is cut off."""
    for _ in range(rng.randint(1, 4)):
        start = rng.randint(0, len(content))
        end = min(len(content), start + rng.choice([0, 1, 1, 2, 8, 40]))
        flipped = bytes([content[start] ^ (1 << rng.randrange(8))]) if start < len(content) else b""
        middle = rng.choice([*WORDS, content[start:end] * 2, rng.randbytes(rng.randint(0, 4)), flipped])
        content = content[:start] + middle + content[end:]
    return content[: rng.randint(0, len(content))] if rng.randrange(8) == 0 else content


def refused(attempt: Callable[[], object]) -> str | None:
    """Why it was refused, which has to be one line; None where it was accepted."""
    try:
        attempt()
    except REFUSED as error:
        message = str(error)
        assert message
        assert len(message.splitlines()) == 1, f"more than one line: {message!r}"
        return message
    return None
