"""Measurements, side by side with other programs in the same run, so that ratios hold on any machine.

`python -m bench` runs all of them, prints a table and writes it to bench/results/.
"""
