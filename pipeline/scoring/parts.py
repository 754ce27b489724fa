"""Scoring many texts so that a stopped or killed process loses a second of work.

```
<folder>/settings.json        the reward model and its revision: scores of another one are thrown away
        /part-00000.parquet   prompt, text, score; each written whole or not at all
```
The folder is removed by `finish`, when the scores are where they belong. Texts are scored in the order of their
lengths, so that texts read together need little padding; what is read together changes scores by rounding only.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import polars as pl

from pipeline.config import AddedRewardModel
from pipeline.errors import write_errors
from pipeline.runs.progress import Bar
from pipeline.runs.records import read_object
from pipeline.scoring import added
from pipeline.scoring.texts import Text
from warehouse import files

_SETTINGS = "settings.json"
_SCHEMA = {"prompt": pl.String(), "text": pl.String(), "score": pl.Float32()}
_AT_ONCE = 32
"""Fewest texts that are handed to the reward model together, sorted by length in there."""
_WRITE_EVERY_S = 1.0
_LINE_EVERY_S = 10.0
_SPEED_ONLY = ("batch_texts", "timeout_s", "tries")
"""Settings that change no score: a stopped scoring may be resumed with others."""


class Parts:
    """The scores of a reward model that are in a folder already, and those still to come."""

    def __init__(self, folder: Path, settings: AddedRewardModel) -> None:
        self._folder, self._settings = folder, settings
        identity = settings.model_dump(mode="json", exclude={*_SPEED_ONLY})
        if folder.is_dir() and read_object(folder / _SETTINGS) != identity:
            shutil.rmtree(folder)
        with write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            files.write_json(folder / _SETTINGS, identity)
        read = [pl.read_parquet(path) for path in sorted(folder.glob("part-*.parquet"))]
        self._count = len(read)
        self.scores = pl.concat([pl.DataFrame(schema=_SCHEMA), *read])
        """The scores so far: `prompt, text, score` (float32)."""

    def missing(self, texts: Iterable[Text]) -> list[Text]:
        """The distinct texts that have no score yet, by length."""
        scored = set(self.scores.select("prompt", "text").iter_rows())
        return sorted(set(texts) - scored, key=lambda text: (len(text[0]) + len(text[1]), text))

    def score(self, texts: Iterable[Text], scoring: added.Scoring, out: TextIO | None = None) -> pl.DataFrame:
        """`scores` of at least these texts, after scoring the missing ones; progress goes to `out`, standard error.

        Raises NoScore or NotWritten.
        """
        out = out or sys.stderr
        distinct, to_score = set(texts), self.missing(texts)
        done = len(distinct) - len(to_score)
        if done:
            print(f"{done:,} of {len(distinct):,} texts were scored before; the rest follows", file=out)
        size = max(self._settings.batch_texts, _AT_ONCE)
        unwritten: list[pl.DataFrame] = []
        written_at = printed_at = time.monotonic()
        bar = Bar(total=len(distinct), initial=done, unit=" texts", file=out, disable=not out.isatty())
        with bar:
            for start in range(0, len(to_score), size):
                batch = to_score[start : start + size]
                frame = pl.DataFrame(batch, schema=["prompt", "text"], orient="row")
                unwritten.append(frame.with_columns(score=pl.Series(scoring.score(batch), dtype=pl.Float32())))
                bar.update(len(batch))
                done += len(batch)
                now = time.monotonic()
                if now - written_at >= _WRITE_EVERY_S or done == len(distinct):
                    self._write(pl.concat(unwritten))
                    unwritten, written_at = [], now
                if not out.isatty() and now - printed_at >= _LINE_EVERY_S:
                    print(f"{done:,} of {len(distinct):,} texts scored", file=out, flush=True)
                    printed_at = now
        return self.scores

    def finish(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, frame: pl.DataFrame) -> None:
        path = self._folder / f"part-{self._count:05d}.parquet"
        with write_errors(path), files.replacing(path) as draft:
            frame.write_parquet(draft)
        self._count += 1
        self.scores = pl.concat([self.scores, frame])
