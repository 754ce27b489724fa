"""The pages of `docs` and the README: what they tell a reader to type is run, and what they show is so."""
