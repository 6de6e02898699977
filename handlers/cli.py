"""The command line: `setpoint demo | import | validate | plan | apply | schema | operations`.

Data goes to stdout, everything else to stderr. Exit codes: 0 valid or in sync; 2 drift, or something is held, waiting
or blocked; 1 an error, also of usage; 130 interrupted. No user error ends in a traceback. A command imports only what
it needs, because imports are most of its run time.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from handlers import terminal

if TYPE_CHECKING:
    from desired_state.document import Document
    from desired_state.fields import Address
    from handlers.wiring import AwsConnection
    from reconciler.engine.run import Openings, Report
    from reconciler.model import Policy
    from reconciler.revision.change import RevisionChange

IN_SYNC, ERROR, DRIFT, INTERRUPTED = 0, 1, 2, 130


class Refused(Exception):
    """The command cannot be carried out. The text has one line per reason, each of which starts with its location."""


class Interrupted(Exception):
    """Ctrl-C during a run; the text says what was in flight. Not click's Abort, which has no text."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script: runs one command and exits."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # not every terminal can show every name
    logging.getLogger().addHandler(logging.NullHandler())  # the report has everything that is logged, sanitized
    sys.exit(run_command(arguments))


def run_command(arguments: Sequence[str] | None = None) -> int:
    """The exit code of one command, after its errors were printed to stderr."""
    try:
        return int(cli.main(arguments, prog_name="setpoint", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
    except Refused as error:
        click.echo(str(error), err=True)
    except Interrupted as stop:
        click.echo(f"\nInterrupted {stop}.", err=True)
        return INTERRUPTED
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted: nothing was in flight.", err=True)
        return INTERRUPTED
    return ERROR


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="setpoint", message="%(prog)s %(version)s")
def cli() -> None:
    """Keep an AWS network and its database at the state written in a versioned JSON document."""


_DOC = click.argument("doc", type=click.Path(path_type=Path))
_FORM = click.option(
    "-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", help="The output format."
)
_COLOUR = click.option("--no-color", is_flag=True, help="No colors; the same as NO_COLOR in the environment.")


_HOLD_EXPOSURES = click.option(
    "--hold-exposures/--no-hold-exposures",
    default=None,
    help="Hold what newly opens a database or a management port to the internet.",
)


def _connection_options[Command: Callable[..., Any]](command: Command) -> Command:
    """The options that say where to connect."""
    options = (
        click.option("--profile", default="", help="The AWS profile."),
        click.option("--region", default="", help="The region; for a document it must be the document's."),
        click.option("--endpoint-url", default="", help="An endpoint other than AWS, such as an emulator."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _run_options[Command: Callable[..., Any]](command: Command) -> Command:
    """The options that `plan` and `apply` share; each option of the policy overrides its `SETPOINT_<NAME>`."""
    options = (
        click.option("--only", multiple=True, metavar="ADDRESS", help="Only this resource; can be repeated."),
        _FORM,
        _connection_options,
        _COLOUR,
        click.option("--mode", type=click.Choice(["correct", "report"]), help="Correct drift, or only report it."),
        click.option("--create-databases/--no-create-databases", default=None, help="Create missing databases."),
        click.option(
            "--downtime", type=click.Choice(["never", "window", "now"]), help="When a database may be interrupted."
        ),
        click.option("--max-breaks", metavar="N", help="The most live members that one run may remove or replace."),
        click.option("--prune/--no-prune", default=None, help="Delete owned resources that are no longer declared."),
        _HOLD_EXPOSURES,
        click.option("--max-hold-hours", metavar="N", help="How long a setpoint:hold tag may hold a resource."),
        click.option("--quota-rules", metavar="N", help="The account's quota of rules per security group."),
        click.option("--quota-entries", metavar="N", help="The account's quota of entries per network ACL."),
        click.option("--quota-routes", metavar="N", help="The account's quota of routes per route table."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@cli.command("import")
@click.option("--vpc", "vpc_ids", multiple=True, metavar="ID", help="The VPC; can be repeated, with --out DIR.")
@click.option("--all", "every", is_flag=True, help="Every VPC that something uses, into --out DIR.")
@click.option("--name", default="", help="The document's name; by default from the VPC's Name tag.")
@click.option("--out", type=click.Path(path_type=Path), help="Write to this new file or folder, not to stdout.")
@click.option(
    "--into", type=click.Path(path_type=Path), metavar="DOC", help="Add what is not declared to this document."
)
@click.option(
    "--accept", multiple=True, metavar="ADDRESS", help="With --into: declare its live values; can be repeated."
)
@click.option("--only", multiple=True, metavar="KIND", help="Only resources of this kind; can be repeated.")
@click.option("--tags", is_flag=True, help="Declare tags too.")
@click.option("--no-workloads", is_flag=True, help="Propose no workloads.")
@_FORM
@_connection_options
@_COLOUR
def import_(only: tuple[str, ...], *, tags: bool, no_workloads: bool, form: str, no_color: bool, **options: Any) -> int:
    """Write a document for a network that exists, and prove that it changes nothing. Only reads.

    The document goes to stdout or to a file, the report to stderr. Exit code 0: written and proven. 1: nothing written.
    """
    from handlers import import_command, wiring
    from reconciler.importing.draft import Choices

    connection = wiring.ConnectionOptions(*(options.pop(name) for name in ("profile", "region", "endpoint_url")))
    choices = Choices(frozenset(only), tags, not no_workloads)
    wanted = import_command.ImportOptions(
        **options, choices=choices, form=form, connection=connection, no_color=no_color
    )
    _refusing(import_command.CannotImport, lambda: import_command.run(wanted))
    return IN_SYNC


_AGAINST = click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="OLD",
    help="Also show what changes in meaning, compared with this version.",
)


@cli.command()
@_DOC
@_AGAINST
@_HOLD_EXPOSURES
@_FORM
def validate(doc: Path, against: Path | None, form: str, **options: Any) -> int:
    """Check a document, and judge its intents against what it declares. Without AWS.

    Exit code 0: valid. 1: not valid, the document breaks an intent of enforcement "hold", or with --against it would be
    held until a person approves it.
    """
    from desired_state.load import DocumentError
    from handlers import validate_command

    holds = _policy(options).hold_exposures if against else True

    def kept() -> bool:
        return _refusing(DocumentError, lambda: validate_command.run(doc, form, against, holds=holds))

    return IN_SYNC if _refusing(validate_command.OtherDocumentError, kept) else ERROR


@cli.command()
@_DOC
@click.option("--out", type=click.Path(path_type=Path), help="Write the plan to this file, for `apply --plan`.")
@_AGAINST
@_run_options
def plan(doc: Path, *, out: Path | None, against: Path | None, only: tuple[str, ...], form: str, **options: Any) -> int:
    """Show the drift and the calls that would correct it. Changes nothing.

    Exit code 0: in sync. 2: drift. 1: an error.
    """
    from handlers import plan_file

    document = _document(doc)
    chosen = _chosen(document, only)
    policy = _policy(options)
    if out:
        _refusing(plan_file.PlanFileError, lambda: plan_file.check_place(out))
    change = _change(document, against) if against else None
    openings = _openings(policy)
    report = _run(document, _connection(document, options), policy, write=False, only=chosen, openings=openings)
    terminal.show(report, form, no_color=options["no_color"], change=change)
    if out:
        from reconciler.report.as_json import as_json

        _refusing(plan_file.PlanFileError, lambda: plan_file.write(out, plan_file.content(as_json(report), chosen)))
    some_allowed = len(report.plan.actions) > len(report.gate.held)
    if form == "text" and (some_allowed or (out and report.plan.actions)):
        selection = [f"--plan={out}"] if out else [f"--only={one}" for one in only]
        click.echo(f"To apply it: {terminal.command('apply', doc, selection, options)}", err=True)
    return _exit_code(report)


@cli.command()
@_DOC
@click.option("--plan", "planned", type=click.Path(path_type=Path), help="Apply exactly this plan file.")
@click.option("--auto-approve", is_flag=True, help="Do not ask for approval.")
@_run_options
def apply(
    doc: Path, *, planned: Path | None, auto_approve: bool, only: tuple[str, ...], form: str, **options: Any
) -> int:
    """Correct the drift, then read again to verify it.

    Exit code 0: in sync afterwards. 2: something is held, waiting or blocked. 1: an error.
    """
    document = _document(doc)
    chosen = _chosen(document, only)
    policy = _policy(options)
    expected = approved = ""
    if planned:
        chosen, approved = _approved(planned, document, chosen)
        expected = approved
    elif not auto_approve and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused("no terminal to ask for approval; review the plan, then use --auto-approve or --plan FILE")
    connection = _connection(document, options)
    openings = _openings(policy)
    if not expected and not auto_approve:
        openings = _openings(policy, ask=True)
        proposed = _run(document, connection, policy, write=False, only=chosen, openings=openings)
        if len(proposed.gate.held) == len(proposed.plan.actions):
            terminal.show(proposed, form, no_color=options["no_color"])
            return _exit_code(proposed)
        if not terminal.approved(proposed, no_color=options["no_color"]):
            raise Refused("not approved; nothing was changed")
        expected = proposed.plan.fingerprint
    report = _run(document, connection, policy, only=chosen, expected=expected, approved=approved, openings=openings)
    terminal.show(report, form, no_color=options["no_color"])
    return _exit_code(report)


@cli.command()
def schema() -> int:
    """Print the JSON Schema of documents, for editors."""
    from desired_state.schema import FILE

    click.echo(FILE.read_text(encoding="utf-8"), nl=False)
    return IN_SYNC


@cli.command()
@_FORM
def operations(form: str) -> int:
    """List every call that Setpoint can make, with its phase, risk and permissions."""
    from handlers.operations import as_table, rows

    click.echo(json.dumps(rows(), indent=2) if form == "json" else as_table(rows()))
    return IN_SYNC


@cli.command()
@_COLOUR
def demo(*, no_color: bool) -> int:
    """Build an example network on an embedded emulator, break it, correct it, and verify the result.

    Needs no AWS account, reads no credentials and opens no port.
    """
    try:
        from handlers.demo import demonstrate
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] in {"moto", "rich", "lab"}:
            raise Refused(f"the demo needs {error.name}; install it with `pip install 'setpoint[cli,demo]'`") from error
        raise
    return demonstrate(no_color=no_color or bool(os.environ.get("NO_COLOR")))


def _document(doc: Path) -> Document:
    from desired_state.load import DocumentError, load
    from desired_state.sources import read_file

    try:
        return load(read_file(doc), str(doc))
    except DocumentError as error:
        raise Refused(str(error)) from error


def _change(document: Document, against: Path) -> RevisionChange:
    """What a document changes, compared with another version of it."""
    from handlers.validate_command import OtherDocumentError, compared

    return _refusing(OtherDocumentError, lambda: compared(_document(against), document))


def _openings(policy: Policy, *, ask: bool = False) -> Openings:
    """What a run does about what its plan opens: a terminal remembers no version before. `ask`: a person sees it, and
    says yes to it.
    """
    from reconciler.engine.run import Openings

    return Openings.HELD if policy.hold_exposures and not ask else Openings.TOLD


def _chosen(document: Document, only: Iterable[str]) -> frozenset[Address] | None:
    from desired_state.fields import Address, nearest, shown

    for one in only:
        if one not in document.resources:
            raise Refused(f"--only: {shown(one)} is not declared in this document; {nearest(one, document.resources)}")
    return frozenset(map(Address, only)) or None


def _policy(options: Mapping[str, Any]) -> Policy:
    from handlers.settings import SettingsError, settings

    try:
        return settings(os.environ, options)
    except SettingsError as error:
        raise Refused(str(error)) from error


def _approved(
    path: Path, document: Document, chosen: frozenset[Address] | None
) -> tuple[frozenset[Address] | None, str]:
    """The addresses that a plan file is limited to, and the fingerprint that it approves."""
    from handlers import plan_file

    def checked() -> plan_file.PlanFile:
        plan = plan_file.read(path)
        plan_file.check(plan, path, document)
        return plan

    plan = _refusing(plan_file.PlanFileError, checked)
    of_plan = _chosen(document, plan.only) if plan.only is not None else None
    if chosen is not None and chosen != of_plan:
        raise Refused("--only: the plan file names its own resources; omit --only")
    return of_plan, plan.fingerprint


def _refusing[Answer](error: type[Exception], act: Callable[[], Answer]) -> Answer:
    try:
        return act()
    except error as caught:
        raise Refused(str(caught)) from caught


def _connection(document: Document, options: Mapping[str, Any]) -> AwsConnection:
    from handlers import wiring

    given = wiring.ConnectionOptions(*(options[name] for name in ("profile", "region", "endpoint_url")))
    return _refusing(wiring.CannotConnect, lambda: wiring.connect(document, given))


def _run(document: Document, connection: AwsConnection, policy: Policy, **options: Any) -> Report:
    """One run, with its progress on stderr."""
    from desired_state.sanitize import sanitize
    from handlers import wiring
    from handlers.progress import Progress
    from reconciler.engine.run import ObserveError, StalePlanError, run
    from reconciler.model import UNSETTLED

    progress = Progress(live=sys.stderr.isatty() and os.environ.get("TERM") != "dumb")
    environment = wiring.environment(
        connection, on_read=progress.read, on_throttle=progress.throttled, on_write=progress.write
    )
    try:
        return run(document, environment, policy, **options)
    except StalePlanError as error:
        hint = "nothing was changed; plan again with the same options and review the new plan"
        raise Refused(f"{sanitize(str(error))}; {hint}") from error
    except (ObserveError, *wiring.FAILURES) as error:
        settled = not isinstance(error, ObserveError) or error.cause.reason not in UNSETTLED
        what = "the network could not be read" if settled else "nothing was changed"
        raise Refused(f"{what}: {sanitize(str(error))}") from error
    except KeyboardInterrupt:
        raise Interrupted(_interrupted(progress.in_flight)) from None
    finally:
        progress.close()


def _interrupted(in_flight: str) -> str:
    if not in_flight:
        return "while reading: nothing was changed"
    hint = "the next run reads the network first and continues from there"
    return f"during or after this write: {in_flight}; whether AWS carried it out is not known; {hint}"


def _exit_code(report: Report) -> int:
    if report.failed:
        return ERROR
    return IN_SYNC if report.in_sync else DRIFT


if __name__ == "__main__":
    main()
