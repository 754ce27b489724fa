"""pipeline.backends."""
