"""app.views.reward_models.page."""
