"""What a run will cost before it starts, from one count of its work: `righttree run --estimate` and `--plan`."""
