"""Claims about what optimised policies do: what they gain and lose, how long their responses are, how they drift."""
