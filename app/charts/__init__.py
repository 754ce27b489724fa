"""Charts: frame → `alt.Chart`. Pure functions, no streamlit, no colours of their own.

Colours come from the theme: `range="heatmap"` and `range="diverging"` are the ramps of `.streamlit/config.toml`, other
ones in light than in dark, and lines and text have its ink (`ink.py`).

Altair holds every piece of a chart against Vega-Lite's schema as it is made, a fifth of a page's time. The tests hold
whole charts against it; here it is not done again.
"""

from altair.utils import schemapi

schemapi.disable_debug_mode()
