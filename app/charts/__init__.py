"""Charts: pure functions from a Polars frame to an Altair chart, without Streamlit and without colours of their own.

Colours come from the theme, `.streamlit/config.toml`, and differ between light and dark: `range="heatmap"` and
`range="diverging"` are its ramps, `style.INK` its colour of lines and text.
"""
