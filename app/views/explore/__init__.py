"""app.views.explore.page."""
