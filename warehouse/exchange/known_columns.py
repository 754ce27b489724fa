"""Names of columns that describe a response and are no scores, although they hold numbers: the one list of them.

A column of numbers with another name may be a scorer. `--map NAME=NAME` makes any column one.
"""

from __future__ import annotations

import re

_WORDS = (
    *("id", "ids", "idx", "index", "uid", "uuid", "row", "rows", "line", "position", "pos", "order", "rank", "ranks"),
    *("len", "lens", "length", "lengths", "tokens?", "words?", "chars?", "characters", "counts?", "turns?", "level"),
    *("elapsed", "runtime", "seconds?", "ms", "bytes", "size", "gpus?", "run", "trial", "attempts?", "tries"),
    *("iteration", "iter", "num", "penalty", "lr", "learning_rate", "loss", "ppl"),
    *("seed", "step", "steps", "epoch", "batch", "fold", "temperature", "top_p", "top_k", "logps?", "perplexity"),
    *("year", "month", "day", "date", "time", "timestamp", "tstamp", "created", "latency", "duration", "cost", "price"),
    *("version", "generator", "source", "language", "difficulty", "weight", "mask"),
)
_BEGINNINGS = ("num", "n", "nb", "len", "max", "min", "total", "count", "number_of", "is", "has")
_WHOLE = r"[kn]|.*_per_.*|unnamed: ?\d+(_level_\d+)?|__index_level_\d+__|level_\d+"
_METADATA = re.compile(
    rf"(?:{_WHOLE}|(?:.*[_ -])?(?:{'|'.join(_WORDS)})|(?:{'|'.join(_BEGINNINGS)})_.*)?", re.IGNORECASE
)


def is_metadata(name: str) -> bool:
    """Whether a column of this name describes a response, as `num_tokens`, `turn` and `question_id` do."""
    return _METADATA.fullmatch(name) is not None
