"""What the deployment allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True)
class Policy:
    """What the deployment allows; no document can allow more. Units are in the names.

    `handlers/settings.py` reads it, and checks the bounds.
    """

    mode: Literal["correct", "report"] = "correct"
    create_databases: bool = False
    downtime: Literal["never", "window", "now"] = "never"
    max_breaks: Annotated[int, Field(ge=0)] | None = None
    prune: bool = False
    hold_exposures: bool = True
    max_hold_hours: Annotated[int, Field(ge=0, le=8760)] = 24
