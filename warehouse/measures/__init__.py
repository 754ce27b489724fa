"""The metrics layer: pure NumPy, no database, no dashboard. See `docs/method.md` and each module's docstring."""
