"""Faults: what is killed, stopped, closed or slow, at random moments, and what is left after it."""
