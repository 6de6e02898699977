"""How text is styled where it is shown; whoever prints it decides, and nothing here knows of a terminal."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.model.exposure import Severity

Style = Callable[[str, str], str]
"""(text, "green" | "yellow" | "red" | "cyan" | "bold" | "dim") -> the styled text."""

_COLOURS = {Severity.CRITICAL: "red", Severity.HIGH: "red", Severity.MEDIUM: "yellow"}


def plain(text: str, _colour: str) -> str:
    """Unstyled text."""
    return text


def by_severity(text: str, severity: Severity | None, style: Style) -> str:
    """Text in the colour of a severity, if that has one."""
    colour = _COLOURS.get(severity) if severity else None
    return style(text, colour) if colour else text
