"""What the deployment allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from desired_state.quotas import DEFAULT, MOST, Quotas


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
    adopt: bool = True
    hold_exposures: bool = True
    max_hold_hours: Annotated[int, Field(ge=0, le=8760)] = 24
    quota_rules: Annotated[int, Field(ge=1, le=MOST.rules)] = DEFAULT.rules
    quota_entries: Annotated[int, Field(ge=2, le=MOST.entries)] = DEFAULT.entries
    quota_routes: Annotated[int, Field(ge=1, le=MOST.routes)] = DEFAULT.routes

    @property
    def quotas(self) -> Quotas:
        """What AWS allows the accounts of this deployment."""
        return Quotas(self.quota_rules, self.quota_entries, self.quota_routes)
