"""Security groups. `kind.py` is the kind, `rule_steps.py` the order in which the rules of one direction change."""
