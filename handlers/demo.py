"""`setpoint demo`: takes over a network on an emulator inside this process; builds another, breaks it, corrects it.

The emulator is moto made as strict as AWS (`lab/`): nothing here reads credentials, opens a port or reaches a network.
The demo succeeds only if the network that existed got tags and nothing else, all drift was found and corrected, a
further run writes nothing, and an intent that two changes together break is kept again.
"""

from __future__ import annotations

import textwrap
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.text import Text

from desired_state.document import Scope
from desired_state.load import load
from handlers import page as page_of_run
from handlers.terminal import coloured
from handlers.wiring import AwsConnection, environment
from lab import by_hand, laboratory
from lab.drifts import DRIFTS, find_network, let_ssh_through
from reconciler.engine.run import run
from reconciler.importing import report as importing
from reconciler.importing.new import Request, new_document
from reconciler.importing.reading import RememberedReads
from reconciler.model import Policy
from reconciler.reach.judge.intents import Status
from reconciler.report.page.limits import MOST_CHARACTERS
from reconciler.report.run_intents import lines
from reconciler.report.text import sentence, text

if TYPE_CHECKING:
    from pathlib import Path

    from desired_state.document import Document
    from lab import StrictAws
    from reconciler.engine.run import Report

_INTENT = "from outside only the front door"
_MOST_RUNS = 5
"""RDS needs minutes for a change; the laboratory lets them pass between two runs."""


def demonstrate(*, no_color: bool, page: Path | None) -> int:
    """The exit code: 0 if everything was corrected and the last run wrote nothing, else 1. The page of what was broken
    is written to `page`.
    """
    console = Console(no_color=no_color or None, highlight=False, markup=False, emoji=False)
    example = files("desired_state") / "examples" / "test-server.json"
    document = load(example.read_bytes(), "examples/test-server.json")
    with laboratory(region=document.scope.region) as lab:
        return _Show(console, document, lab, page).play()


def _broken(report: Report) -> list[str]:
    """The names of the intents that are broken."""
    known = report.intents.verdicts if report.intents else ()
    return [one.intent.name for one in known if one.status is Status.BROKEN]


class _Show:
    """The demo's steps, on one laboratory."""

    def __init__(self, console: Console, document: Document, lab: StrictAws, page: Path | None) -> None:
        self._console, self._document, self._lab, self._page = console, document, lab, page
        self._outsider = lab.outsider()
        self._connection = AwsConnection(lab.session(), lab.region)

    def play(self) -> int:
        held = self._take_over()
        self._heading(
            "Build", "The second way: a document describes a three-tier network, of which nothing exists yet."
        )
        with self._console.status("building ..."):
            built = self._run(self._document)
        self._lab.settle()
        self._print(sentence(built), "red" if built.failed else "green")
        found = self._break()
        corrected = self._correct()
        calm = self._calm()
        kept = self._keep_an_intent()
        return self._verdict(held=held, found=found, corrected=corrected, calm=calm, kept=kept)

    def _take_over(self) -> bool:
        """A network that somebody made by hand: imported, adopted, and held. Whether that changed nothing but tags."""
        self._heading("Import", "Somebody made a network by hand, without Name tags. setpoint import only reads:")
        vpc_id = by_hand.build(self._outsider)
        document, proven = self._imported(vpc_id)
        self._heading("Adopt", "setpoint plan, then setpoint apply: two tags on each resource, and nothing else:")
        self._print_report(self._run(document, write=False))
        before = len(self._lab.calls)
        adopted = self._run(document)
        only_tags = {call.operation for call in self._lab.calls[before:] if call.kind == "write"} == {"CreateTags"}
        self._summarize(adopted)
        self._heading("Hold", "Somebody opens SSH on the back end to everyone; the next run:")
        by_hand.open_ssh(self._outsider, vpc_id)
        corrected = self._run(document, verbose=True)
        self._summarize(corrected)
        return proven and only_tags and adopted.in_sync and corrected.writes == 1 and corrected.in_sync

    def _imported(self, vpc_id: str) -> tuple[Document, bool]:
        """The document of an import, and whether it wrote nothing. A person imports, with their own permissions."""
        scope = Scope(account_id=self._lab.account, region=self._lab.region, vpc_id=vpc_id)
        person = environment(AwsConnection(self._outsider, self._lab.region))
        before = len(self._lab.trail.records())
        imported = new_document(Request(scope, "shop", person.now), RememberedReads(person.aws))
        self._print_ansi(importing.text(imported, "shop.json", coloured))
        return load(imported.data, "shop.json"), len(self._lab.trail.records()) == before

    def _break(self) -> bool:
        self._heading("Break", "People and other tools then change it outside of Setpoint:")
        network = find_network(self._outsider, self._document.name)
        self._lab.trail.clear()  # who built it has nothing to do with who changes it now
        for number, drift in enumerate(DRIFTS, start=1):
            drift.apply(self._outsider, network)
            self._print(f"{number:>2}  {drift.story}", hanging=4)
        self._heading("Plan", "setpoint plan reads the network, compares it with the document, and changes nothing:")
        plan = self._run(self._document, write=False)
        self._print_report(plan)
        found = {(drift.address, drift.field) for drift in plan.drifts}
        missed = sorted(drift.name for drift in DRIFTS if not drift.addresses <= found)
        if missed:
            self._print(f"Not found: {', '.join(missed)}", "red")
        if self._page:
            self._page.write_text(self._written(plan, self._page), encoding="utf-8")
        return not missed

    def _written(self, plan: Report, to: Path) -> str:
        """The page of a plan: the plan of a broken network shows more than its correction."""
        form: Literal["html", "markdown"] = "markdown" if to.suffix == ".md" else "html"
        options = page_of_run.PageOptions(form, MOST_CHARACTERS, redact=False)
        return page_of_run.page(plan, self._connection, options, sleep=lambda seconds: None)

    def _correct(self) -> bool:
        self._heading("Apply", "setpoint apply closes exposure first, adds before it removes, and verifies the result:")
        report = self._run(self._document, verbose=True)
        self._summarize(report)
        for _ in range(_MOST_RUNS):
            if report.in_sync:
                break
            self._print("RDS needs minutes to apply a change; Setpoint waits for it. After that, the next run:")
            self._lab.settle()
            report = self._run(self._document, verbose=True)
            self._summarize(report)
        return report.in_sync

    def _calm(self) -> bool:
        self._heading("Verify", "A run on a network that is as declared only reads:")
        before = len(self._lab.calls)
        report = self._run(self._document)
        sent = self._lab.calls[before:]
        writes = sum(call.kind == "write" for call in sent)
        self._print(f"{sentence(report)} ({len(sent)} API calls, {writes} of them writes)", "green")
        return report.in_sync and not writes

    def _keep_an_intent(self) -> bool:
        """Two changes that only together let anything in: whether the second one breaks an intent, and the next run
        keeps it again.
        """
        self._heading("Intents", f"The document also says {_INTENT!r}. Somebody opens SSH in a security group:")
        network = find_network(self._outsider, self._document.name)
        DRIFTS[0].apply(self._outsider, network)
        opened = self._run(self._document, write=False)
        self._print_intents(opened)
        self._console.print()
        self._print("The network ACL still stands, so nobody gets in. Then somebody opens that too:")
        self._console.print()
        let_ssh_through(self._outsider, network)
        broken = self._run(self._document, write=False)
        self._print_intents(broken)
        self._heading("Keep", "setpoint apply, and the intent is kept again:")
        report = self._run(self._document, verbose=True)
        self._console.print()
        self._print_intents(report)
        return _broken(opened) == [] and _broken(broken) == [_INTENT] and _broken(report) == [] and report.in_sync

    def _print_intents(self, report: Report) -> None:
        for block in lines(report, coloured):
            for line in block:
                self._print_ansi(f"  {line}")

    def _verdict(self, *, held: bool, found: bool, corrected: bool, calm: bool, kept: bool) -> int:
        self._console.print()
        writes = sum(call.kind == "write" for call in self._lab.calls)
        if held and found and corrected and calm and kept:
            calls = f"{len(self._lab.calls)} API calls, {writes} of them writes, none of them while in sync"
            self._print("The network that existed was taken over with tags alone, and held.", "bold green")
            self._print(f"All {len(DRIFTS)} were found, corrected and verified: {calls}.", "bold green")
            self._print(f"The page of what was broken: {self._page or 'setpoint demo --page demo.html'}")
            return 0
        steps = (
            ("take over", held),
            ("find", found),
            ("correct", corrected),
            ("verify", calm),
            ("keep an intent", kept),
        )
        failed = [what for what, well in steps if not well]
        self._print(f"The demo failed to {' and to '.join(failed)}: this is a bug in Setpoint.", "bold red")
        return 1

    def _run(self, document: Document, *, verbose: bool = False, write: bool = True) -> Report:
        def on_write(action: str) -> None:
            if verbose:
                self._print(action, hanging=2)

        without_pauses = replace(environment(self._connection, on_write=on_write), sleep=lambda seconds: None)
        return run(document, without_pauses, Policy(create_databases=True), write=write)

    def _summarize(self, report: Report) -> None:
        self._console.print()
        self._print(sentence(report), "green" if report.in_sync else "yellow")

    def _print_report(self, report: Report) -> None:
        self._print_ansi(text(report, coloured))

    def _print_ansi(self, words: str) -> None:
        self._console.print(Text.from_ansi(words), soft_wrap=True)

    def _heading(self, name: str, what: str) -> None:
        self._console.print()
        self._console.print(Text.assemble((name, "bold cyan"), "  ", what), soft_wrap=True)
        self._console.print()

    def _print(self, words: str, colour: str = "", hanging: int = 0) -> None:
        width = max(40, self._console.width) if self._console.is_terminal else 10_000
        for line in textwrap.wrap(words, width - 2, subsequent_indent=" " * hanging):
            self._console.print(Text(f"  {line}", colour), soft_wrap=True)
