"""Reward models as other trainers save them: weights by name, LoRA adapters, and the head that gives the score."""
