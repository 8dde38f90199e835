"""The verifier on what holds, and its parts. What does not hold is in `tests/attacks`."""
