"""While the warehouse is replaced again and again, no read fails and none sees two builds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability import publishing
from tests.warehouse.rows import tiny_run
from warehouse import ingest, store

pytestmark = pytest.mark.reliability


def test_eight_readers_never_fail_and_never_see_two_builds_while_twenty_are_published(tmp_path: Path) -> None:
    found = publishing.read_while_publishing(tmp_path, publishing.READERS, publishing.PUBLISHES)
    assert found.failures == []
    assert all(len(reader.seconds) > 1 for reader in found.readers)
    assert len(found.versions) > publishing.PUBLISHES / 2  # they did read between the publishes
    assert found.versions <= set(range(publishing.PUBLISHES + 1))
    assert publishing.leftovers(found) == set()
    assert len(found.files) == 4


def test_two_builds_at_once_would_be_noticed(tmp_path: Path) -> None:
    ingest.publish(tmp_path, tiny_run("left", 1.0, 10), "one")
    ingest.publish(tmp_path, tiny_run("right", 2.0, 10), "another")
    with store.open_read_only(tmp_path) as connection:
        assert publishing.seen(connection) == {0, 1.0, 2.0}
