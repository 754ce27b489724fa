"""The stages of a run, in the order of `pipeline.flow.STAGES`; each is thin: read tables, call models, write tables."""
