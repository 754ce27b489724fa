"""warehouse.metrics."""
