"""Benchmarks; each compares dask-napari with a peer or a ceiling and prints the ratio.

Run one with ``python -m benchmarks.throughput``, all with ``make bench``.
"""
