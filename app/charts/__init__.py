"""Charts: frame → `alt.Chart`. Pure functions, no streamlit, no colours of their own.

Colours come from the theme: `range="heatmap"` and `range="diverging"` are the ramps of `.streamlit/config.toml`, other
ones in light than in dark, and lines and text have its ink (`ink.py`).
"""
