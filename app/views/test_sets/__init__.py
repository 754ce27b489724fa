"""app.views.test_sets.page."""
