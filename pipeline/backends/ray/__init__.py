"""Parts of stages as tasks of a Ray cluster, and whole runs as its jobs."""
