"""`setpoint demo`: the example network is built on an emulator inside this process, broken, put right, and shown.

The emulator is moto made as strict as AWS (`lab/`): nothing here reads credentials, opens a port or reaches a network.
The demo ends well only when every accident was found, all of it is corrected, and a calm run then writes nothing.
"""

from __future__ import annotations

import textwrap
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from desired_state.load import load
from handlers.terminal import style
from handlers.wiring import AwsConnection, world
from lab import laboratory
from lab.drifts import DRIFTS, find_network
from reconciler.engine.run import run
from reconciler.model import Policy
from reconciler.report.text import sentence, text

if TYPE_CHECKING:
    from desired_state.document import Document
    from lab import StrictAws
    from reconciler.engine.run import Report

_MOST_RUNS = 5
"""A database takes its minutes for every change; the laboratory lets them pass between two runs."""


def demonstrate(*, no_color: bool) -> int:
    """The exit code: 0 when everything is corrected and the calm run wrote nothing, else 1."""
    console = Console(no_color=no_color or None, highlight=False, markup=False, emoji=False)
    example = files("desired_state") / "examples" / "test-server.json"
    document = load(example.read_bytes(), "examples/test-server.json")
    with laboratory(region=document.scope.region) as lab:
        return _Show(console, document, lab).play()


class _Show:
    """The demo's chapters, on one laboratory."""

    def __init__(self, console: Console, document: Document, lab: StrictAws) -> None:
        self._console, self._document, self._lab = console, document, lab
        self._others = lab.outsider()
        self._place = AwsConnection(lab.session(), lab.region)

    def play(self) -> int:
        self._heading("Build", "The document describes a three-tier network. Nothing of it exists yet.")
        with self._console.status("building ..."):
            built = self._run(aloud=False)
        self._lab.settle()
        self._say(sentence(built), "red" if built.failed else "green")
        found = self._break()
        corrected = self._correct()
        calm = self._calm()
        return self._verdict(found=found, corrected=corrected, calm=calm)

    def _break(self) -> bool:
        self._heading("Break", "Then people and other tools do what they do, out of band:")
        network = find_network(self._others, self._document.name)
        for number, drift in enumerate(DRIFTS, start=1):
            drift.apply(self._others, network)
            self._say(f"{number:>2}  {drift.story}", hanging=4)
        self._heading("See", "setpoint plan looks, compares member by member, and changes nothing:")
        plan = self._run(write=False)
        self._console.print(Text.from_ansi(text(plan, style)), soft_wrap=True)
        told = {(drift.address, drift.field) for drift in plan.drifts}
        missed = sorted(drift.name for drift in DRIFTS if not drift.addresses <= told)
        if missed:
            self._say(f"Not found: {', '.join(missed)}", "red")
        return not missed

    def _correct(self) -> bool:
        self._heading("Correct", "setpoint apply closes what is open first, makes before it breaks, and looks again:")
        report = self._run(aloud=True)
        self._told(report)
        for _ in range(_MOST_RUNS):
            if report.in_sync:
                break
            self._say("RDS takes its minutes for a change and is left alone meanwhile. They pass; the next run:")
            self._lab.settle()
            report = self._run(aloud=True)
            self._told(report)
        return report.in_sync

    def _calm(self) -> bool:
        self._heading("Rest", "A run on a network that is as declared must only look:")
        before = len(self._lab.calls)
        report = self._run()
        made = self._lab.calls[before:]
        writes = sum(call.kind == "write" for call in made)
        self._say(f"{sentence(report)} ({len(made)} API calls, {writes} of them writes)", "green")
        return report.in_sync and not writes

    def _verdict(self, *, found: bool, corrected: bool, calm: bool) -> int:
        self._console.print()
        writes = sum(call.kind == "write" for call in self._lab.calls)
        if found and corrected and calm:
            calls = (
                f"{len(self._lab.calls)} API calls, {writes} of them writes, and not one write when nothing was wrong"
            )
            self._say(f"All {len(DRIFTS)} were found, put right, and proven by a second look: {calls}.", "bold green")
            return 0
        failed = [what for what, well in (("find", found), ("correct", corrected), ("rest", calm)) if not well]
        self._say(f"The demo failed to {' and to '.join(failed)}: this is a fault in Setpoint.", "bold red")
        return 1

    def _run(self, *, aloud: bool = False, write: bool = True) -> Report:
        def doing(action: str) -> None:
            if aloud:
                self._say(action, hanging=2)

        outside = world(self._place, looking=lambda told: None, doing=doing)
        timeless = replace(outside, sleep=lambda seconds: None)
        return run(self._document, timeless, Policy(create_databases=True), write=write)

    def _told(self, report: Report) -> None:
        self._console.print()
        self._say(sentence(report), "green" if report.in_sync else "yellow")

    def _heading(self, name: str, what: str) -> None:
        self._console.print()
        self._console.print(Text.assemble((name, "bold cyan"), "  ", what), soft_wrap=True)
        self._console.print()

    def _say(self, words: str, look: str = "", hanging: int = 0) -> None:
        width = max(40, self._console.width) if self._console.is_terminal else 10_000
        for line in textwrap.wrap(words, width - 2, subsequent_indent=" " * hanging):
            self._console.print(Text(f"  {line}", look), soft_wrap=True)
