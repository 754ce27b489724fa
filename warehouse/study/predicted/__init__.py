"""What regret a reward model without policies would give, predicted from its scores on the RM test alone."""
