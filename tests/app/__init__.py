"""Pages, charts and wording, through Streamlit's AppTest."""
