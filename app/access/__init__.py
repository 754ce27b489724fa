"""app.access.warehouse."""
