"""The command line and the all-in-one demo: the one place that puts recorder, evidence store and API together."""
