"""Benchmarks; each compares with a peer or a ceiling in the same run and prints a ratio.

Run one with ``python -m benchmarks.throughput``, all with ``make bench``.
"""
