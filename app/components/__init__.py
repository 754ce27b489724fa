"""app.components."""
