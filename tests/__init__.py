"""The product's tree again, and what holds it together."""
