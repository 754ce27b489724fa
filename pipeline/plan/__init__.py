"""What a run would do and take, computed from its settings before anything is run: `righttree run --plan`.

An estimate scales finished runs (`pipeline/estimate.py`); a plan counts texts, tokens and operations, so that it can
speak of a scale that nobody has run here. `figures.py` is the arithmetic, `counts.py` what there is to do;
`compute.py`, `memory.py` and `disk.py` say what it takes, `needs.py` what of it this machine lacks; `command.py`
prints it.
"""
