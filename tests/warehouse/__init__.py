"""Metrics, statistics, reads and imports, held against independent implementations."""
