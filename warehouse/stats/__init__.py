"""warehouse.stats."""
