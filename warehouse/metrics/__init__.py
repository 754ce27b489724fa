"""What is measured per prompt: how well a reward model agrees with the golden one, and the test sets for it."""
