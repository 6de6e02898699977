"""The deployment's settings: environment variables `SETPOINT_<NAME>`, read once into one frozen model.

Every door calls `settings`; the command line hands its options in as `chosen`, which win over the environment. No
document can say any of this (`reconciler/model.py`, Policy).
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from desired_state.load import inert
from reconciler.model import Policy

PREFIX = "SETPOINT_"


class SettingsError(Exception):
    """Settings that cannot be used: a line for each, with what is wrong, where, and what to write instead."""


class Settings(BaseModel):
    """How far this deployment lets the tool go; hours and counts as named."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["correct", "report"] = "correct"
    create_databases: bool = False
    downtime: Literal["never", "window", "now"] = "never"
    max_breaks: Annotated[int, Field(ge=0)] | None = None
    prune: bool = False
    max_hold_hours: Annotated[int, Field(ge=0, le=8760)] = 24

    def policy(self) -> Policy:
        return Policy(**{name: getattr(self, name) for name in _MENDS})


_MENDS = {
    "mode": "write correct or report",
    "create_databases": "write 1 or 0",
    "downtime": "write never, window or now",
    "max_breaks": "write a whole number from 0, or leave it out for the limit that goes with the document's size",
    "prune": "write 1 or 0",
    "max_hold_hours": "write a whole number of hours from 0 to 8760",
}


def settings(environment: Mapping[str, str], chosen: Mapping[str, Any] | None = None) -> Settings:
    """The settings in `environment`, those in `chosen` (by field; None: not chosen) before them.

    An empty variable counts as not set, since templates cannot leave one out. Raises SettingsError; also for a variable
    that is almost one of ours, since a misspelt limit would be no limit.
    """
    names = {PREFIX + field.upper(): field for field in _MENDS}
    given = {field: environment[name] for name, field in names.items() if environment.get(name)}
    options = {field: value for field, value in (chosen or {}).items() if value is not None}
    problems = [_misspelt(name, close[0]) for name in environment if (close := _close(name, names))]
    try:
        read = Settings.model_validate(given | options)
    except ValidationError as error:
        fields = dict.fromkeys(str(one["loc"][0]) for one in error.errors())
        problems += [_refused(field, given, options) for field in fields]
    else:
        if not problems:
            return read
    raise SettingsError("\n".join(problems)) from None


def _close(name: str, names: Mapping[str, str]) -> list[str]:
    if not name.startswith(PREFIX) or name in names:
        return []
    return get_close_matches(name, names, n=1, cutoff=0.85)


def _misspelt(name: str, meant: str) -> str:
    return f"{inert(name)}: there is no such setting; did you mean {meant}?"


def _refused(field: str, given: Mapping[str, str], options: Mapping[str, Any]) -> str:
    where = f"--{field.replace('_', '-')}" if field in options else PREFIX + field.upper()
    value = options.get(field, given.get(field))
    return f"{where}: {inert(repr(value))} cannot be used; {_MENDS[field]}"
