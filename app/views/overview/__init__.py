"""app.views.overview.page."""
