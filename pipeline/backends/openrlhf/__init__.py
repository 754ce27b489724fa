"""pipeline.backends.openrlhf."""
