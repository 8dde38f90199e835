"""Every store keeps one contract; what is its own is tested beside it."""
