"""From parts of several files to one set of rows: which rows are of the same prompt and of the same response.

Ids decide where files have them. Items without ids are the same by their place, or by their texts if files are ordered
differently. Rows without ids are told by their texts, blanks at the ends aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from warehouse.exchange.layouts.source import Part
from warehouse.exchange.scored_rows import LONG, Pieces, joined
from warehouse.exchange.sheet import invalid, shown

_GROUP = ("file", "reward_model")
_TEXTS = ("prompt", "response")


def identified(parts: Sequence[Part], names: Sequence[str], models: Sequence[str]) -> Pieces:
    """The pieces of several files as one, with what is to be said about telling their rows apart.

    `names` are those of the files, `models` the reward models that their paths name.
    """
    notes: list[str] = []
    whole = joined([part.pieces for part in parts])
    if any(part.identity != "ids" for part in parts):
        kinds = {
            kind: joined([part.pieces for part in parts if part.identity == kind])
            for kind in ("ids", "items", "places", "texts")
        }
        kinds["items"] = _one_text(kinds["items"], names, notes)
        kinds["places"] = _aligned(kinds["places"])
        known = pl.concat([kinds[kind].long for kind in ("ids", "items", "places")])
        kinds["texts"] = replace(kinds["texts"], long=_told_by_texts(kinds["texts"].long, known))
        whole = joined(list(kinds.values()))
        whole = replace(whole, long=whole.long.sort("file", maintain_order=True))
    keyed = [number for number, part in enumerate(parts) if part.keyed]
    long = _unkeyed(whole.long, keyed, models, notes)
    return replace(whole, long=long, notes=tuple(notes))


def _one_text(pieces: Pieces, names: Sequence[str], notes: list[str]) -> Pieces:
    """Items' texts as the first file has them: each reward model may have had them in its own chat template.

    Of an id that stands for several items, each is the one at its place, unless its text is that of another of them.
    """
    long = pieces.long.with_columns(place=pl.col("row").cum_count().over(*_GROUP, "prompt_id", "response_id"))
    for name, key in (("prompt", ["prompt_id"]), ("response", ["prompt_id", "response_id"])):
        first = pl.col(name).drop_nulls().first().over(*key, "place")
        known = long.filter(pl.col("file") == pl.col("file").min().over(key)).group_by(key).agg(known=pl.col(name))
        if name == "response":
            _check_order(long, known, names)
        text = pl.when(pl.col(name).is_in("known").fill_null(False)).then(name).otherwise(first)
        whole = long.join(known, on=key, how="left", maintain_order="left").with_columns(text.alias(name)).drop("known")
        differ = (whole[name] != long[name]).fill_null(False)
        if differ.any():
            example = names[int(long["file"].min())]  # type: ignore[arg-type]
            count = long.filter(differ)["file"].n_unique()
            notes.append(
                f"{name}s differ from those of {example} in {count} other file{'s' if count > 1 else ''}, as with each "
                f"reward model's own chat template: joined by id, with the texts of {example}"
            )
        long = whole
    return replace(pieces, long=long.drop("place"))


def _check_order(long: pl.DataFrame, known: pl.DataFrame, names: Sequence[str]) -> None:
    """Raises InvalidRows if a file has a response under the id that the first file has for another of its prompt.

    `known` has the texts of each response in the first file. A text in another template is none of them.
    """
    texts = known.explode("known").select("prompt_id", pl.col("response_id").alias("other"), response="known")
    moved = (
        long.drop_nulls("response")
        .join(texts.drop_nulls().unique(), on=("prompt_id", "response"), maintain_order="left")
        .filter(~(pl.col("other") == pl.col("response_id")).any().over("file", "row", "prompt_id", "response_id"))
    )
    if moved.height:
        entry = moved.row(0, named=True)
        raise invalid(
            f"{names[entry['file']]}, row {entry['row'] + 1}: response {shown(entry['response_id'])} of prompt "
            f"{shown(entry['prompt_id'])} has the text that response {shown(entry['other'])} has in "
            f"{names[int(long['file'].min())]}; give the responses in the same order in all files"  # type: ignore[arg-type]
        )


def _aligned(pieces: Pieces) -> Pieces:
    """Items without ids: files in another order than the first take its places by their texts."""
    long = pieces.long
    keys = (
        long.unique(("file", "row", "response_id"), keep="first", maintain_order=True)
        .with_columns(pl.col("prompt", "response").fill_null("").str.strip_chars())
        .group_by("file", "row", maintain_order=True)
        .agg(
            pl.col("prompt_id").first(), key=pl.concat_str(pl.col("prompt").first(), pl.col("response").str.join("\0"))
        )
    )
    if keys.is_empty():
        return pieces
    first = keys.filter(pl.col("file") == keys["file"].min())
    if first["key"].n_unique() < first.height:
        return pieces
    renamed = keys.join(first.select("key", first_id="prompt_id"), on="key", how="left", maintain_order="left")
    whole = renamed.group_by("file").agg(
        is_whole=pl.col("first_id").is_not_null().all() & pl.col("key").is_unique().all()
    )
    renamed = renamed.join(whole.filter("is_whole"), on="file", how="inner")
    parts: dict[str, pl.DataFrame] = {}
    for name in ("long", "pairs"):
        frame: pl.DataFrame = getattr(pieces, name)
        frame_named = frame.join(
            renamed.select("file", "row", "first_id"), on=("file", "row"), how="left", maintain_order="left"
        )
        parts[name] = frame_named.with_columns(prompt_id=pl.coalesce("first_id", "prompt_id")).select(frame.columns)
    return replace(pieces, long=parts["long"], pairs=parts["pairs"])


def _told_by_texts(long: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Rows without ids with those that rows of the same texts have, or with new ones by the order of their texts.

    The same text twice in a prompt is two responses: the first of each reward model is one, the second the other.
    """
    if long.is_empty():
        return long
    keys = [pl.col(name).str.strip_chars().alias(f"{name} key") for name in _TEXTS]
    long, known = long.with_columns(keys), known.filter(pl.col("prompt").is_not_null()).with_columns(keys)
    if not known.is_empty():
        long = _with_known_prompts(long, known)
    new = long.filter(pl.col("prompt_id").is_null()).select("prompt key").unique(maintain_order=True)
    new = new.with_columns(new=pl.format("prompt-{}", pl.int_range(1, pl.len() + 1).cast(pl.String()).str.zfill(6)))
    long = _joined(long, new, ["prompt key"]).with_columns(prompt_id=pl.coalesce("prompt_id", "new")).drop("new")
    again = pl.int_range(pl.len()).over(*_GROUP, "prompt_id", "response key")
    long = long.with_columns(again=again)
    key = ["prompt_id", "response key", "again"]
    if not known.is_empty():
        given = known.with_columns(again=again).unique(key, keep="first")
        long = _joined(long, given.select(*key, same="response_id", text="response"), key)
        texts = {"response_id": pl.coalesce("response_id", "same"), "response": pl.coalesce("text", "response")}
        long = long.with_columns(**texts).drop("same", "text")
    unknown = long.filter(pl.col("response_id").is_null()).select(key).unique(maintain_order=True)
    unknown = unknown.with_columns(numbered=pl.format("response-{}", pl.int_range(1, pl.len() + 1).over("prompt_id")))
    long = _joined(long, unknown, key).with_columns(response_id=pl.coalesce("response_id", "numbered"))
    for name, group in (("prompt", ["prompt_id"]), ("response", key)):
        if (long[name] != long[f"{name} key"]).any():  # blanks at the ends may differ: the first text is the text
            long = long.with_columns(pl.col(name).first().over(group))
    return long.select(LONG.names())


def _with_known_prompts(long: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Rows with the id and text of the one known prompt that has both texts, else of the one that has the prompt's."""
    for on in (["prompt key", "response key"], ["prompt key"]):
        ids = known.group_by(on).agg(pl.col("prompt_id").unique())
        ids = ids.filter(pl.col("prompt_id").list.len() == 1).with_columns(one_id=pl.col("prompt_id").list.first())
        long = _joined(long, ids.select(*on, "one_id"), on)
        long = long.with_columns(prompt_id=pl.coalesce("prompt_id", "one_id")).drop("one_id")
    prompts = known.group_by("prompt_id", maintain_order=True).agg(text=pl.col("prompt").first())
    return _joined(long, prompts, ["prompt_id"]).with_columns(prompt=pl.coalesce("text", "prompt")).drop("text")


def _joined(left: pl.DataFrame, right: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    return left.join(right, on=on, how="left", maintain_order="left", nulls_equal=True)


def _unkeyed(long: pl.DataFrame, keyed: list[int], models: Sequence[str], notes: list[str]) -> pl.DataFrame:
    """Scorers whose key several files have for the same responses are different ones: named `file:key`."""
    names = long.lazy().filter(pl.col("file").is_in(keyed)).select("file", "reward_model").unique().collect()
    if not names["reward_model"].is_duplicated().any():
        return long
    rows = long.filter(pl.col("file").is_in(keyed) & pl.col("reward_model").is_not_null())
    files = rows.group_by("prompt_id", "response_id", "reward_model").agg(pl.col("file").n_unique())
    clashing = files.filter(pl.col("file") > 1)["reward_model"].unique()
    if clashing.is_empty():
        return long
    name = pl.col("file").replace_strict(dict(enumerate(models)), return_dtype=pl.String())
    is_clashing = pl.col("file").is_in(keyed) & pl.col("reward_model").is_in(clashing.implode())
    notes.append(
        f"{clashing.len()} scorers are in several files: named by file and column, such as "
        f"{models[keyed[0]]}:{clashing.sort()[0]}"
    )
    named = pl.when(is_clashing).then(pl.format("{}:{}", name, "reward_model")).otherwise("reward_model")
    return long.with_columns(reward_model=named)
