"""Coverage of the intervals of correlations with outcomes."""
