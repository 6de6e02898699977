"""Security groups. `kind.py` is the kind, `rule_steps.py` orders the changes of one direction's rules."""
