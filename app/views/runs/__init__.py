"""app.views.runs.page."""
