"""One file a change, named by its number and what it does."""
