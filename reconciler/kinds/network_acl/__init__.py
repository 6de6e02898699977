"""Network ACLs: ordered entries, and the subnets that use them. `kind.py` is the kind; `search.py` finds an order of
single calls, `detour.py` uses a temporary ACL if there is none.
"""
