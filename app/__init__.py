"""The dashboard: shows results, reads only. Start it with `righttree app`; `main.py` is what Streamlit runs.

A view is a straight line: choose → read → measure → draw. Reading and caching are in `access.py`, arithmetic on results
in `warehouse.study`, tables made of them in `frames.py`, sentences in `wording.py` and
`run_wording.py`.
"""
