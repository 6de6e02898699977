"""What may reach what in the whole network: groups, ACLs, routes, gateways and public addresses together. Pure; it may
import the vocabulary and `packets` only.

Start with `network.py` (what every filter of a VPC says, as one table). Two things are asked of it: what reaches what,
between a `pair` of ends, and of many pairs by what the document says (`judge`); and whether a call of a plan may come
next (`layers.py`: what each layer lets through at one end; `steps.py`). `compare.py` says in which flows two states
differ.
"""
