"""What `-v` tells on stderr: what is read, from where, and how long it took."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import boto3

_STARTED = "setpoint_started"


class Trace:
    """Tells what happens, each line with the seconds since the command began; silent unless `on`."""

    def __init__(self) -> None:
        self.on = False
        self._began = time.monotonic()
        self._lock = Lock()
        self._watched: list[boto3.Session] = []

    def tell(self, text: str) -> None:
        """One line."""
        if not self.on:
            return
        from desired_state.sanitize import sanitize

        with self._lock:
            click.echo(f"  {time.monotonic() - self._began:7.3f} s  {sanitize(text)}", err=True)

    def watch(self, session: boto3.Session) -> None:
        """Tell of every call of the session's clients: pages and repeated calls too, which a run counts as one."""
        if not self.on:
            return
        self._watched.append(session)
        for event, handler in self._handlers():
            session.events.register(event, handler)

    def close(self) -> None:
        """The command has ended: a session may outlive it."""
        while self._watched:
            session = self._watched.pop()
            for event, handler in self._handlers():
                session.events.unregister(event, handler)

    def _handlers(self) -> tuple[tuple[str, Any], ...]:
        return ("before-parameter-build", _begin), ("after-call", self._end), ("after-call-error", self._failed)

    def _end(self, http_response: Any, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        error = parsed.get("Error", {}).get("Code", "") if http_response.status_code >= 300 else ""
        as_whom = f", as {parsed['Arn']}" if model.name == "GetCallerIdentity" and "Arn" in parsed else ""
        answer = f"{http_response.status_code}{f' {error}' if error else ''}{as_whom}"
        self.tell(f"{model.service_model.service_name} {model.name}: {answer}{_took(context)}")

    def _failed(self, exception: Exception, context: dict[str, Any], event_name: str, **_: Any) -> None:
        self.tell(f"{event_name.partition('.')[2]}: {exception}{_took(context)}")


def _begin(context: dict[str, Any], **_: Any) -> None:
    context[_STARTED] = time.monotonic()


def _took(context: dict[str, Any]) -> str:
    started = context.get(_STARTED)
    return f", {time.monotonic() - started:.3f} s" if started else ""
