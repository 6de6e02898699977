"""The command line: `setpoint demo | import | validate | plan | apply | rollback | history | receipt | fleet | ...`.

Data goes to stdout, everything else to stderr. Exit codes: 0 valid or in sync; 2 drift, or something is held, waiting
or blocked; 1 an error, also of usage; 128 and the signal's number if one ended the command (130: Ctrl-C). No error ends
in a traceback. A command imports only what it needs, because imports are most of its run time.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from handlers import options as given
from handlers.ending import DRIFT, ERROR, IN_SYNC, Commands, ended
from handlers.options import command_state
from handlers.refusal import Kind, Refused

PROGRAM = "setpoint"


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script: runs one command and exits."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # not every terminal can show every name
    logging.getLogger().addHandler(logging.NullHandler())  # the report has everything that is logged, sanitized
    # A command is one short process: what it makes is needed until it ends, or is freed by its reference counts.
    # Collecting costs a quarter of a calm plan, a part of it at the very end, where the interpreter collects once more.
    gc.disable()
    code = run_command(arguments)
    gc.freeze()
    sys.exit(code)


def run_command(arguments: Sequence[str] | None = None) -> int:
    """The exit code of one command, after its errors were printed: to stderr, or with `-o json` to stdout."""
    return ended(cli, list(sys.argv[1:] if arguments is None else arguments), PROGRAM)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(None, "-V", "--version", package_name=PROGRAM, message="%(prog)s %(version)s")
@click.option("-v", "--verbose", is_flag=True, help="With a command: as its own -v. Alone: the version.")
@click.pass_context
def cli(context: click.Context, *, verbose: bool) -> None:
    """Keep an AWS network and its database at the state written in a versioned JSON document."""
    command_state().trace.on |= verbose
    if context.invoked_subcommand is None:
        if not verbose:
            raise click.exceptions.NoArgsIsHelpError(context)
        from importlib import metadata

        click.echo(f"{PROGRAM} {metadata.version(PROGRAM)}")


@cli.command("import", short_help="Write a document for a network that exists.")
@click.option("--vpc", "vpc_ids", multiple=True, metavar="ID", help="The VPC; can be repeated, with --out DIR.")
@click.option("--all", "every", is_flag=True, help="Every VPC that something uses, into --out DIR.")
@click.option("--name", default="", help="The document's name; by default from the VPC's Name tag.")
@click.option("--out", type=click.Path(path_type=Path), help="Write to this new file or folder, not to stdout.")
@click.option(
    "--into", type=click.Path(path_type=Path), metavar="DOC", help="Add what is not declared to this document."
)
@given.ACCEPT
@click.option("--only", multiple=True, metavar="KIND", help="Only resources of this kind; can be repeated.")
@click.option("--tags", is_flag=True, help="Declare tags too.")
@click.option("--no-workloads", is_flag=True, help="Propose no workloads.")
@click.option("--no-intents", is_flag=True, help="Propose no intents.")
@given.FORM
@given.VERBOSE
@given.connection_options
@given.COLOR
def import_(
    only: tuple[str, ...],
    *,
    tags: bool,
    no_workloads: bool,
    no_intents: bool,
    form: str,
    no_color: bool,
    **options: Any,
) -> int:
    """Write a document for a network that exists, and prove that it changes nothing. Only reads.

    The document goes to stdout or to a file, the report to stderr. Exit code 0: written and proven. 1: nothing written.
    """
    from handlers import import_command, wiring
    from reconciler.importing.draft import Choices

    connection = wiring.ConnectionOptions.taken_from(options)
    choices = Choices(frozenset(only), tags, workloads=not no_workloads, intents=not no_intents)
    wanted = import_command.ImportOptions(
        **options, choices=choices, form=form, connection=connection, no_color=no_color, trace=command_state().trace
    )
    import_command.run(wanted)
    return IN_SYNC


@cli.command(short_help="Check documents and their intents, without AWS.")
@given.DOCS
@given.AGAINST
@given.HOLD_EXPOSURES
@given.FORM
@given.VERBOSE
def validate(docs: tuple[Path, ...], against: Path | None, form: str, **options: Any) -> int:
    """Check documents, and judge their intents against what they declare. Without AWS. `-` is stdin.

    Exit code 0: valid. 1: not valid, a document breaks an intent of enforcement "hold", or with --against it would be
    held until a person approves it.
    """
    from handlers import validate_command

    holds = given.policy(options).hold_exposures if against else True
    valid = validate_command.run(docs, form, against, holds=holds, trace=command_state().trace)
    return IN_SYNC if valid else ERROR


@cli.command(epilog=given.ENVIRONMENT)
@given.DOCS
@click.option("--out", type=click.Path(path_type=Path), help="Write the plan to this file, for `apply --plan`.")
@given.AGAINST
@given.run_options
def plan(
    docs: tuple[Path, ...], *, out: Path | None, against: Path | None, only: tuple[str, ...], form: str, **options: Any
) -> int:
    """Show the drift and the calls that would correct it. Changes nothing. `-` is stdin.

    Exit code 0: in sync. 2: drift. 1: an error. Of several documents, 1 outranks 2.
    """
    from handlers.network_command import Plan

    return Plan(command_state(), only, form, options).run(docs, out, against)


@cli.command(epilog=given.ENVIRONMENT)
@given.DOC
@click.option("--plan", "planned", type=click.Path(path_type=Path), help="Apply exactly this plan file.")
@click.option("--auto-approve", is_flag=True, help="Do not ask for approval.")
@given.run_options
def apply(
    doc: Path, *, planned: Path | None, auto_approve: bool, only: tuple[str, ...], form: str, **options: Any
) -> int:
    """Correct the drift, then read again to verify it.

    Exit code 0: in sync afterwards. 2: something is held, waiting or blocked, or a packet was cut or let through
    between two calls. 1: an error.
    """
    from handlers import network_command

    return network_command.apply(command_state(), doc, planned, only, form, auto_approve=auto_approve, options=options)


@cli.command(short_help="Give an earlier revision's text a new number.", epilog=given.ENVIRONMENT)
@given.NAME
@click.option("--previous", is_flag=True, help="Back to the revision before the newest one.")
@click.option("--to", type=click.IntRange(min=1), metavar="N", help="Back to revision N.")
@click.option("--version-id", default="", metavar="ID", help="Back to this version of the object.")
@click.option("--reason", default="", metavar="TEXT", help="Why; stored with the upload.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the document to this file, for a commit.")
@click.option("--upload", is_flag=True, help="Put it into the bucket, after asking; only if nobody did meanwhile.")
@given.STACK
@click.option("--bucket", default="", metavar="NAME", help="The documents' bucket, instead of --stack.")
@click.option(
    "--network-profile", default="", metavar="NAME", help="The profile for the network, where it is in another account."
)
@given.FORM
@given.VERBOSE
@given.connection_options
@given.COLOR
@given.policy_options
def rollback(name: str, *, previous: bool, to: int | None, version_id: str, form: str, **options: Any) -> int:
    """Give an earlier revision's text a new number, and show what it would do. NAME is the document's name.

    Without --out and --upload nothing is written. Exit code 0: shown, written or uploaded. 1: an error.
    """
    if sum((previous, to is not None or bool(version_id))) != 1:
        raise click.UsageError("name what to go back to: --previous, or --to N, or --version-id ID")
    from handlers.rollback_command import RollbackOptions, run

    own = {one: options.pop(one) for one in ("reason", "out", "upload", "stack", "bucket", "network_profile")}
    run(command_state(), RollbackOptions(name, to, version_id, form=form, run=options, **own))
    return IN_SYNC


@cli.command(short_help="Tell what was recorded of a document.")
@given.NAME
@click.option("--since", default="30d", metavar="TIME", help="How far back: 30d, 12h, 2w, or a date.  [default: 30d]")
@click.option("--only", multiple=True, metavar="ADDRESS", help="Only episodes of this resource; can be repeated.")
@click.option("--open", "opened", is_flag=True, help="Only what let something in that is not declared.")
@click.option("--verify", is_flag=True, help="Read every receipt, and check that none is missing or changed.")
@given.PAGE_FORM
@click.option("--redact", is_flag=True, help="A page without accounts, addresses and people.")
@given.STACK
@given.RECEIPTS
@given.VERBOSE
@given.connection_options
@given.COLOR
def history(name: str, **options: Any) -> int:
    """Tell what was recorded of a document: what differed, since when, who did it, what was done. NAME is its name.

    Exit code 0: told. 1: it could not be read, or with --verify a receipt is missing or changed.
    """
    from handlers import history_command, wiring

    connection = wiring.ConnectionOptions.taken_from(options)
    whole = history_command.run(command_state(), history_command.HistoryOptions(name, connection=connection, **options))
    return IN_SYNC if whole else ERROR


@cli.command(short_help="Show one recorded run.")
@click.argument("what", metavar="DOC|FILE")
@click.argument("run", default="", metavar="[RUN|KEY]")
@click.option("--undo", is_flag=True, help="Print what a document would say to have back what the run took away.")
@click.option("--history", "with_history", is_flag=True, help="Add the last 30 days to the page.")
@given.PAGE_FORM
@click.option("--max-chars", type=click.IntRange(min=2000), metavar="N", help="The most characters as Markdown.")
@click.option("--redact", is_flag=True, help="A page without accounts, addresses and people.")
@given.STACK
@given.RECEIPTS
@given.VERBOSE
@given.connection_options
@given.COLOR
def receipt(what: str, run: str, **options: Any) -> int:
    """Show a recorded run: DOC and RUN as `history` tells them, or a FILE.

    RUN is the run's id, its first 8 digits, or a key in the bucket. Exit code 0: shown. 1: it could not be read.
    """
    from handlers import receipt_command, wiring

    connection = wiring.ConnectionOptions.taken_from(options)
    receipt_command.run(command_state(), receipt_command.ReceiptOptions(what, run, connection=connection, **options))
    return IN_SYNC


@cli.command(short_help="Show how every document of a stack stands.")
@given.STACK
@given.PAGE_FORM
@given.VERBOSE
@given.connection_options
@given.COLOR
def fleet(*, stack: str, form: str, **options: Any) -> int:
    """Show how every document of a deployed stack stands, the gravest first. Only reads.

    Exit code 0: all in sync. 2: something is not, or nobody looks at it. 1: an error.
    """
    from handlers.fleet_command import run

    return IN_SYNC if run(command_state(), stack, form, options) else DRIFT


@cli.command()
def schema() -> int:
    """Print the JSON Schema of documents, for editors."""
    from desired_state.schema import FILE

    click.echo(FILE.read_text(encoding="utf-8"), nl=False)
    return IN_SYNC


@cli.command(short_help="List every call to EC2 and RDS that Setpoint can make.")
@given.FORM
def operations(form: str) -> int:
    """List every call to EC2 and RDS that Setpoint can make, with its phase, risk and permissions."""
    from handlers.operations import as_table, rows

    click.echo(json.dumps(rows(), indent=2) if form == "json" else as_table(rows()))
    return IN_SYNC


@cli.command(short_help="Print a script for the completion of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print a script that completes commands, options and the addresses of --only.

    For bash: source <(setpoint completion bash)
    """
    from handlers.completion import script

    click.echo(script(cli, PROGRAM, shell))
    return IN_SYNC


@cli.command(short_help="Show Setpoint at work on an embedded emulator.")
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the page of the broken network to this file: HTML, or Markdown if it ends in .md.",
)
@given.COLOR
def demo(*, page: Path | None, no_color: bool) -> int:
    """Build an example network on an embedded emulator, break it, correct it, and verify the result.

    Needs no AWS account, reads no credentials and opens no port.
    """
    if page and not page.absolute().parent.is_dir():
        raise Refused(f"--page: there is no folder for {page}; make it, or write to another one", Kind.FILE)
    try:
        from handlers.demo import demonstrate
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] in {"moto", "rich", "lab"}:
            raise Refused(f"the demo needs {error.name}; install it with `pip install 'setpoint[cli,demo]'`") from error
        raise
    gc.enable()  # an emulator and many runs in one process do leave garbage
    return demonstrate(no_color=no_color or bool(os.environ.get("NO_COLOR")), page=page)


if __name__ == "__main__":
    main()
