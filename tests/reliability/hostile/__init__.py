"""Hostile input of every kind: how it is drawn, tried and judged."""
