"""The errors of the warehouse. Each message says what is wrong, what was found, and how to fix it."""

from __future__ import annotations


class WarehouseError(Exception):
    """Root of the warehouse's errors; its message is meant for the user."""


class NoWarehouse(WarehouseError, FileNotFoundError):
    """Nothing has been published in this data folder yet."""


class UnknownName(WarehouseError, LookupError):
    """A run, measure, optimiser or other name that does not exist."""


class InvalidRows(WarehouseError, ValueError):
    """Rows that break the schema; none of them was written."""


class InvalidChoice(WarehouseError, ValueError):
    """A choice (number of responses, category, strength) that the run cannot satisfy."""


def first_line(error: BaseException) -> str:
    """What an error says, without its details."""
    return (str(error) or type(error).__name__).splitlines()[0]
