"""Which reward model to take: what each is worth to a golden, which differ, where each fails, and what would tell."""
