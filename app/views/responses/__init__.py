"""app.views.responses.page."""
