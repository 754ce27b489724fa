"""Whether what was read makes a whole study: repeated and missing scores, roles of scorers, precision."""
