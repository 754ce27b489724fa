"""What is measured for docs/benchmarks.md and docs/scale.md, and the committed baselines."""
