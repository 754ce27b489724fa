"""The benchmarks' own scores of reward models, as their authors compute them, from an imported run's scores and labels.

RewardBench's sections, RewardBench 2's domains with its Ties score, RM-Bench's matrix. Each module has one benchmark;
`of_run` says which of them a run has.
"""
