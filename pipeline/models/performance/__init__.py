"""pipeline.models.performance."""
