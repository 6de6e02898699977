"""The doors: how a run is asked for, and how its report is handed back. Wiring only."""
