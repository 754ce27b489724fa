"""Makes results: trains reward models, optimises policies against them, and scores both."""
