"""The dashboard: shows results, reads only. Start it with `righttree app`; Streamlit runs `main.py`."""
