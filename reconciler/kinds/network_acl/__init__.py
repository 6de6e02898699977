"""Network ACLs: entries whose order decides, and the subnets that use them. `kind.py` is the kind; `search.py` finds an
order of single calls, `detour.py` is the way through a temporary ACL where there is none.
"""
