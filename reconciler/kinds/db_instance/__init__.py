"""DB instances. `kind.py` is the kind, `settings.py` what changing each setting costs."""
