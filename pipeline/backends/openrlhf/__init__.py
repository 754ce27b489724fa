"""Policies trained by OpenRLHF, as processes of its own environment."""
