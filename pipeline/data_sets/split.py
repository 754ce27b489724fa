"""Which prompts are set aside for validation: by a seeded hash, so that the files and their order do not matter."""

from __future__ import annotations

from hashlib import blake2b

from pipeline.data_sets.conversation import opening


def is_validation(prompt: str, share: float, seed: int) -> bool:
    """Whether the prompt's pairs validate; true of about `share` of all prompts.

    Prompts that go on from the same first user turn stay together: one's text is part of the other's.
    """
    digest = blake2b(opening(prompt).encode(), digest_size=8, key=str(seed).encode()).digest()
    return int.from_bytes(digest, "big") < share * 2**64
