"""What can go wrong in the warehouse. Each message says what, what was got, and how to fix it."""

from __future__ import annotations


class WarehouseError(Exception):
    """Root of the warehouse's errors; its message is meant for the user as it stands."""


class NoWarehouse(WarehouseError, FileNotFoundError):
    """Nothing has been published in this data folder yet."""


class UnknownName(WarehouseError, LookupError):
    """A run, measure, optimiser or other name that does not exist."""


class InvalidRows(WarehouseError, ValueError):
    """Rows that break the schema: nothing of them was written."""


class InvalidChoice(WarehouseError, ValueError):
    """A choice (number of responses, category, strength) that the run cannot satisfy."""
