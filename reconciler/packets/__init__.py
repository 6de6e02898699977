"""Exact sets of packets. Pure; it may import the vocabulary only.

Start with `traffic.py` (the algebra of sets), then `partial.py` (lists that are only partly corrected). What a network
lets through from end to end is in `reconciler/reach/`.
"""
