"""Charts: frame → `alt.Chart`. Pure functions, no streamlit, no colours of the page.

Colours come from the theme: `range="heatmap"` and `range="diverging"` are the ramps of `.streamlit/config.toml`, other
ones in light than in dark, and text has the theme's ink. Only what both grounds carry equally is named in `ink.py`.
"""
