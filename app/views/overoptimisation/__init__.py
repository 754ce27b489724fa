"""The Overoptimisation page."""
