"""The core: observe, diff, plan, gate, apply, look again, report. `run.py` tells it in order."""
