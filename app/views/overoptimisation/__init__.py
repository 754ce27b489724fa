"""app.views.overoptimisation.page."""
