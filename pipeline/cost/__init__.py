"""What a run will cost before it starts: one count of its work, for `righttree run --estimate` and `--plan` alike.

- `counts.py`: how many texts, pairs, policies and tokens each stage handles.
- `costs.py`: from the counts, each stage's operations and memory, and the disk space, as products that can be printed.
- `estimate.py`: scales the costs by what finished runs needed for theirs (`--estimate`).
- `command.py`: converts the costs to hours on a GPU, and prints them with their arithmetic (`--plan`).
- `needs.py`: what this machine lacks. `model_size.py`: how large a model is.
"""
