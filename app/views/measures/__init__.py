"""app.views.measures.page."""
