"""Tests mirror the packages; `parts` holds the real servers that they run against."""
