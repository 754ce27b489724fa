"""What can be asked of the warehouse: one function per question, which returns a Polars frame or a dense array.

Every function takes a connection of `store.open_read_only` first. Reward models, prompts and responses are sorted by id
everywhere, so the axes of different reads match. `reads.study` is imported by name: it needs the claims.
"""

from warehouse.reads import endings, outcomes, policies, probes, responses, runs, scores, trained_picks, values

__all__ = ["endings", "outcomes", "policies", "probes", "responses", "runs", "scores", "trained_picks", "values"]
