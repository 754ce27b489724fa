"""Measures of reward models, the test sets they are taken on, and the values of best-of-n: all prompt by prompt."""
