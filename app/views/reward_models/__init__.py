"""The Reward models page."""
