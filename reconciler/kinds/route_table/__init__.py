"""Route tables. `kind.py` is the kind, `route_steps.py` the order in which routes change."""
