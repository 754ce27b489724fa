"""The report card of a reward model: one HTML file with its figures, data and provenance. No Streamlit here."""
