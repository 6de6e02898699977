"""How far the deployment lets the tool go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Policy:
    """How far the deployment lets the tool go; no document can raise it. Hours and counts as named."""

    mode: Literal["correct", "report"] = "correct"
    create_databases: bool = False
    downtime: Literal["never", "window", "now"] = "never"
    max_breaks: int | None = None
    prune: bool = False
    max_hold_hours: int = 24
