"""pipeline.scoring.scorer."""
