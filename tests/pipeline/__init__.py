"""Runs, models and the command line, on a model of two layers or on SmolLM2."""
