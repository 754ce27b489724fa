"""Do intervals cover what they claim? Simulated studies whose truth is computed, and the page about them."""
