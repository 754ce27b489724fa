"""Keeps results and defines what they mean: tables, metrics, statistics and verdicts."""
