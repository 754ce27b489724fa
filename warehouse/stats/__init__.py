"""Statistics that know nothing of reward models: ranks, correlations, the bootstrap, and figures across pairs."""
