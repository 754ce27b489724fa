"""Statistics on arrays: bootstrap intervals, ranks, and weighted correlations in every replicate."""
