"""Simulated studies for the dashboard and the warehouse, and what reads a page as a visitor does."""
