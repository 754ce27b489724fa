"""The Responses page."""
