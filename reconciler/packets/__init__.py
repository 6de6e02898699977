"""Exact sets of packets, and what a network allows. Pure; it may import the vocabulary only.

Start with `traffic.py` (the algebra of sets), then `reachability.py` (groups, ACLs and routes together while a plan is
applied) and `partial.py` (lists that are only partly corrected).
"""
