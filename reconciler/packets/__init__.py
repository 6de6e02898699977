"""Exact sets of packets, and what a network lets through. Pure; it may import the vocabulary only.

Start with `traffic.py` (the algebra of sets), then `reachability.py` (groups, ACLs and routes together while a plan is
carried out) and `partial.py` (lists that are corrected only in part).
"""
