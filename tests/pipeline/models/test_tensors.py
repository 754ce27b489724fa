"""Tensors come back as they were kept; of a file that is cut off, nothing does."""

from __future__ import annotations

from pathlib import Path

import torch

from pipeline.models.trunk import load_tensors, save_tensors


def test_a_file_that_is_gone_or_cut_off_holds_nothing(tmp_path: Path) -> None:
    path, kept = tmp_path / "state.safetensors", {"a": torch.arange(600.0), "b": torch.ones(2, 3)}
    assert load_tensors(path) is None
    save_tensors(kept, path)
    loaded = load_tensors(path)
    assert loaded is not None
    assert all(torch.equal(loaded[name], tensor) for name, tensor in kept.items())
    whole = path.read_bytes()
    for length in (0, 4, 60, 1000, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert load_tensors(path) is None
