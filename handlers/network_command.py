"""`setpoint plan` and `setpoint apply`: one run for each document, with its progress on stderr."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from desired_state.fields import Address, nearest, shown
from desired_state.sanitize import sanitize
from handlers import document_input, page, plan_file, terminal, wiring
from handlers.ending import DRIFT, ERROR, IN_SYNC
from handlers.options import CommandState, policy
from handlers.progress import Progress
from handlers.refusal import Kind, Refused, as_json, refusing
from handlers.signals import Interrupted
from handlers.validate_command import OtherDocumentError, compared
from reconciler.engine.run import Memory, ObserveError, Openings, StalePlanError, run
from reconciler.kinds import REGISTRY
from reconciler.model import UNSETTLED
from reconciler.report.between import broken_between

if TYPE_CHECKING:
    from desired_state.document import Document
    from reconciler.engine.run import Report
    from reconciler.model import Policy

_WORST = (ERROR, DRIFT, IN_SYNC)
"""Exit codes, the one that counts for several documents first."""
VPC_PATIENCE = (2.0, 4.0, 8.0)
"""Seconds between the looks before a VPC is made: an earlier command may have made it and been killed, and EC2 shows it
a little later. The deployed functions remember that instead (`engine/vpc_asked.py`).
"""
_COUNTED = {IN_SYNC: "in sync", DRIFT: "with drift", ERROR: "with an error"}


class Plan:
    """`setpoint plan`, for one document after the other. `options` are those of `run_options`."""

    def __init__(self, at: CommandState, only: tuple[str, ...], form: str, options: dict[str, Any]) -> None:
        self._page = page.chosen(form, options)
        self._at, self._only, self._form, self._options = at, only, form, options

    def run(self, docs: tuple[Path, ...], out: Path | None, against: Path | None) -> int:
        """The exit code; a document that cannot be planned does not keep the others from it."""
        if against and self._page:
            raise Refused("--against: a page shows one run; use -o text or -o json for what changes in meaning")
        document_input.check_stdin([*docs, against] if against else list(docs))
        if len(docs) == 1:
            code, values = self._one(docs[0], out, against)
            if values is not None:
                click.echo(json.dumps(values, indent=2))
            return code
        for option, given in (("--out", out), ("--against", against), ("--only", self._only)):
            if given:
                raise Refused(f"{option} is for one document: plan them one by one")
        self._page = self._page and self._page.of_many(len(docs))
        codes, answers = [], []
        for number, doc in enumerate(docs):
            if number and self._form != "json":
                click.echo("\n---\n" if self._page else "")
            try:
                code, values = self._one(doc, None, None)
            except Refused as refused:
                code, values = ERROR, {"file": document_input.origin(doc), **as_json(refused)}
                if self._form != "json":
                    click.echo(str(refused), err=True)
                if self._page:
                    click.echo(page.refused(document_input.origin(doc), str(refused)), nl=False)
            codes.append(code)
            answers.append(values)
        if self._form == "json":
            click.echo(json.dumps({"format_version": 1, "documents": answers}, indent=2))
        else:
            counts = (f"{codes.count(code)} {what}" for code, what in _COUNTED.items() if code in codes)
            click.echo(f"\n{len(docs)} documents: {', '.join(counts)}.", err=self._page is not None)
        return next(code for code in _WORST if code in codes)

    def _one(self, doc: Path, out: Path | None, against: Path | None) -> tuple[int, dict[str, Any] | None]:
        """(exit code, the report as JSON values if it is to be JSON, otherwise it is printed)."""
        document = document_input.document(doc, self._at.trace)
        chosen = _chosen(document, self._only)
        deployed = policy(self._options)
        if out:
            refusing(plan_file.PlanFileError, Kind.PLAN_FILE, lambda: plan_file.check_place(out))
        change = None
        if against:
            before = document_input.document(against, self._at.trace)
            change = refusing(OtherDocumentError, Kind.USAGE, lambda: compared(before, document))
        connection = _connection(self._at, document, self._options)
        report = _run(self._at, document, connection, deployed, write=False, only=chosen, openings=_openings(deployed))
        if self._page:
            click.echo(page.page(report, connection, self._page), nl=False)
        elif self._form == "text":
            terminal.show(report, no_color=self._options["no_color"], change=change)
        if out:
            content = plan_file.content(terminal.report_as_json(report), chosen)
            refusing(plan_file.PlanFileError, Kind.PLAN_FILE, lambda: plan_file.write(out, content))
        self._offer(report, doc, out)
        return _exit_code(report), terminal.report_as_json(report, change) if self._form == "json" else None

    def _offer(self, report: Report, doc: Path, out: Path | None) -> None:
        """The next command, if there is something to apply and a person to read it."""
        some_allowed = len(report.plan.actions) > len(report.gate.held)
        if self._form != "text" or not (some_allowed or (out and report.plan.actions)):
            return
        if document_input.is_stdin(doc) and not out:
            click.echo("To apply it: write the document to a file, so that apply can ask for approval", err=True)
            return
        selection = [f"--plan={out}"] if out else [f"--only={one}" for one in self._only]
        click.echo(f"To apply it: {terminal.command('apply', doc, selection, self._options)}", err=True)


def apply(
    at: CommandState,
    doc: Path,
    planned: Path | None,
    only: tuple[str, ...],
    form: str,
    *,
    auto_approve: bool,
    options: dict[str, Any],
) -> int:
    """The exit code of `setpoint apply`. Raises Refused, and Interrupted."""
    as_page = page.chosen(form, options)
    document = document_input.document(doc, at.trace)
    chosen = _chosen(document, only)
    deployed = policy(options)
    expected = approved = ""
    if planned:
        chosen, approved = _approved(planned, document, chosen)
        expected = approved
    elif not auto_approve and deployed.mode != "report" and (document_input.is_stdin(doc) or not terminal.is_person()):
        problem = "the document comes from stdin" if document_input.is_stdin(doc) else "no terminal"
        how = ", so nobody can be asked for approval" if document_input.is_stdin(doc) else " to ask for approval"
        hint = "review the plan, then use --auto-approve or --plan FILE"
        raise Refused(f"{problem}{how}; {hint}", Kind.NOT_APPROVED)
    connection = _connection(at, document, options)
    openings = _openings(deployed)
    no_color = options["no_color"]

    def show(ended: Report) -> None:
        if not as_page:
            terminal.show_as(form, ended, no_color=no_color)
            return
        try:
            told = page.page(ended, connection, as_page)
        except Exception:
            terminal.show_on_stderr(ended)  # what was done must be known, whatever is wrong with the page
            raise
        click.echo(told, nl=False)

    if not expected and not auto_approve:
        ask = _openings(deployed, ask=True)
        proposed = _run(at, document, connection, deployed, write=False, only=chosen, openings=ask)
        openings = ask
        if len(proposed.gate.held) == len(proposed.plan.actions):
            show(proposed)
            return _exit_code(proposed)
        if not terminal.approved(proposed, no_color=no_color):
            raise Refused("not approved; nothing was changed", Kind.NOT_APPROVED)
        expected = proposed.plan.fingerprint
    released: dict[str, Any] = {"only": chosen, "expected": expected, "approved": approved, "openings": openings}
    # Where nobody looks at the plan, nothing proves what is ours: a terminal remembers nothing.
    released["memory"] = Memory(had=None if expected else frozenset(), vpc_patience=VPC_PATIENCE)
    report = _run(at, document, connection, deployed, **released)
    show(report)
    beside = _beside(
        report,
        prunes=deployed.prune and not expected and chosen is None,
        foreseen=bool(approved and report.plan.unsafe),
    )
    if at.signals.caught:
        raise Interrupted(at.signals.caught, _stopped(report))
    return _exit_code(report) or beside


def _beside(report: Report, *, prunes: bool, foreseen: bool) -> int:
    """What must be known beside the report goes to stderr; the exit code for it. `foreseen`: the plan that a person has
    released says what it lets through or cuts.
    """
    kept, broken = _not_pruned(report) if prunes else "", _broken(report)
    for said in filter(None, (kept, broken)):
        click.echo(said, err=True)
    return DRIFT if kept or (broken and not foreseen) else IN_SYNC


def _broken(report: Report) -> str:
    """What was cut or let through between two calls; empty if nothing was, as far as is known."""
    found = [sanitize(one) for one in broken_between(report)]
    if not found:
        return ""
    more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    return f"Between two calls a packet was cut or let through that should not have been: {'; '.join(found[:3])}{more}"


def _not_pruned(report: Report) -> str:
    """What an approval in advance does not delete, and how it is deleted; empty if there is nothing."""
    found = [one for one in report.unmanaged if one.owned and REGISTRY[one.address.kind].delete]
    if not found:
        return ""
    names = ", ".join(sanitize(f"{one.address} ({one.id})") for one in found)
    return (
        f"--prune: not deleted, because --auto-approve approves no deletion: {names}. They carry this document's tags, "
        "which anybody can set, and a terminal has no ledger that says what the document has declared. Review the "
        "deletions with setpoint plan --prune --out FILE and setpoint apply --plan FILE, or let the deployed functions "
        "do it, which have the ledger (parameter Prune, then mode apply in a manual invoke)"
    )


def planned(at: CommandState, document: Document, deployed: Policy, options: Mapping[str, Any]) -> Report:
    """What applying a document would do, that no file has yet. Raises Refused."""
    connection = _connection(at, document, options)
    return _run(at, document, connection, deployed, write=False, openings=_openings(deployed))


def _stopped(report: Report) -> str:
    """What a run did that a signal ended in time."""
    done = sum(one.ended.value == "done" for one in report.action_results)
    left = len(report.action_results) - done
    rest = f"{left} {'was' if left == 1 else 'were'} not made" if left else "none was left"
    hint = "nothing is half done, and the next run continues from there" if left else "all of it was done"
    return f"after {done} {'call' if done == 1 else 'calls'}, {rest}: {hint}"


def _openings(deployed: Policy, *, ask: bool = False) -> Openings:
    """What a run does about what its plan opens: a terminal remembers no version before. `ask`: a person sees it, and
    says yes to it.
    """
    return Openings.HELD if deployed.hold_exposures and not ask else Openings.TOLD


def _chosen(document: Document, only: Iterable[str]) -> frozenset[Address] | None:
    for one in only:
        if one not in document.resources:
            raise Refused(f"--only: {shown(one)} is not declared in this document; {nearest(one, document.resources)}")
    return frozenset(map(Address, only)) or None


def _approved(
    path: Path, document: Document, chosen: frozenset[Address] | None
) -> tuple[frozenset[Address] | None, str]:
    """The addresses that a plan file is limited to, and the fingerprint that it approves."""

    def checked() -> plan_file.PlanFile:
        plan = plan_file.read(path)
        plan_file.check(plan, path, document)
        return plan

    plan = refusing(plan_file.PlanFileError, Kind.PLAN_FILE, checked)
    of_plan = _chosen(document, plan.only) if plan.only is not None else None
    if chosen is not None and chosen != of_plan:
        raise Refused("--only: the plan file names its own resources; omit --only")
    return of_plan, plan.fingerprint


def _connection(at: CommandState, document: Document, options: Mapping[str, Any]) -> wiring.AwsConnection:
    given = wiring.ConnectionOptions.taken_from(dict(options))
    return refusing(
        wiring.CannotConnect, Kind.CONNECTION, lambda: wiring.connect(document, given, watch=at.trace.watch)
    )


def _run(
    at: CommandState, document: Document, connection: wiring.AwsConnection, deployed: Policy, **options: Any
) -> Report:
    """One run, with its progress on stderr. Raises Refused, and Interrupted."""
    live = terminal.is_live() and not at.trace.on
    progress = Progress(live=live)

    def on_write(action: str) -> None:
        at.signals.writing = True
        progress.write(action)

    environment = wiring.environment(
        connection,
        on_read=progress.read,
        on_throttle=progress.throttled,
        on_write=on_write,
        may_start=at.signals.may_start,
    )
    try:
        report = run(document, environment, deployed, **options)
    except StalePlanError as error:
        hint = "nothing was changed; plan again with the same options and review the new plan"
        raise Refused(f"{sanitize(str(error))}; {hint}", Kind.STALE_PLAN) from error
    except (ObserveError, *wiring.FAILURES) as error:
        settled = not isinstance(error, ObserveError) or error.cause.reason not in UNSETTLED
        what = "the network could not be read" if settled else "nothing was changed"
        raise Refused(f"{what}: {sanitize(str(error))}", Kind.NETWORK) from error
    except (Interrupted, KeyboardInterrupt) as stop:
        number = stop.signum if isinstance(stop, Interrupted) else signal.SIGINT
        raise Interrupted(number, _in_flight(progress.in_flight)) from None
    finally:
        progress.close()
    at.trace.tell(f"{document.name}: {report.reads} reads, {report.writes} writes, {report.seconds:.3f} s")
    return report


def _in_flight(in_flight: str) -> str:
    if not in_flight:
        return "while reading: nothing was changed"
    hint = "the next run reads the network first and continues from there"
    return f"during or after this write: {in_flight}; whether AWS carried it out is not known; {hint}"


def _exit_code(report: Report) -> int:
    if report.failed:
        return ERROR
    return IN_SYNC if report.in_sync else DRIFT
