"""What passes between one pair of ends, exactly and three-valued.

`ends.py` says who talks to whom, `topology.py` has them and the network. Two questions are asked: `flows.py` says which
traffic passes, `blockers.py` what keeps a flow from working, with its `mends.py`. `filters.py` and `routing.py` prepare
groups, ACLs and routes for that, `legs.py` puts them in order, and `explain.py` follows one packet. The answers are in
`path.py`.
"""
