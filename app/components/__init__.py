"""What pages have in common: the state of a page, controls, figures, words and number formats."""
