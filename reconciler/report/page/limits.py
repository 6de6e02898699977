"""How many characters a page in Markdown may have."""

from __future__ import annotations

MOST_CHARACTERS, LEAST_CHARACTERS = 60_000, 2_000
"""GitHub takes comments of at most 65,536; with fewer than the least there is no room for what must be told."""
