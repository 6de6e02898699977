"""Route tables. `kind.py` is the kind, `route_steps.py` orders the changes of routes."""
