"""Measures the product through its front door; `python -m bench` prints the table of `docs/reference/performance.md`."""
