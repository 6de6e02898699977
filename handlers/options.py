"""The arguments and options that commands of the command line share, and what a shell completes of them.

Help and completion import nothing but this, so everything heavier is imported where it is used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from handlers.refusal import Kind, refusing
from handlers.signals import Signals
from handlers.trace import Trace

if TYPE_CHECKING:
    from reconciler.model import Policy


@dataclass
class CommandState:
    """One command: what ends it, and what `-v` tells of it."""

    signals: Signals = field(default_factory=Signals)
    trace: Trace = field(default_factory=Trace)


def command_state() -> CommandState:
    """The command that runs now."""
    return click.get_current_context().ensure_object(CommandState)


def policy(options: Mapping[str, Any]) -> Policy:
    """The policy of the environment and of a command's options. Raises Refused."""
    from handlers.settings import SettingsError, settings

    return refusing(SettingsError, Kind.SETTINGS, lambda: settings(os.environ, options))


def _verbose(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 (click's contract)
    if value:
        context.ensure_object(CommandState).trace.on = True


def addresses(path: Path) -> list[str]:
    """The addresses that a file declares, as far as it is a document; none if it is not."""
    try:
        sections = json.loads(path.read_bytes())["resources"]
        return [f"{kind}/{name}" for kind, resources in sections.items() for name in resources]
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError):
        return []


def _complete_address(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The addresses of the documents that stand on the command line so far."""
    into = context.params.get("into")
    words = [*context.args, *([into] if into else [])]  # an option without its value ends click's parsing
    found = [one for word in words for one in addresses(Path(word))]
    return [CompletionItem(one) for one in dict.fromkeys(found) if one.startswith(incomplete) and one.isprintable()]


ENVIRONMENT = "The environment sets the options from --mode on too: SETPOINT_MODE, SETPOINT_MAX_BREAKS and so on."
DOC = click.argument("doc", type=click.Path(path_type=Path))
NAME = click.argument("name")
DOCS = click.argument("docs", metavar="DOC...", nargs=-1, required=True, type=click.Path(path_type=Path))
FORM = click.option(
    "-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", help="The output format."
)
PAGE_FORM = click.option(
    *("-o", "--output", "form"),
    type=click.Choice(["text", "json", "html", "markdown"]),
    default="text",
    help="The output format; html and markdown are pages.",
)
RECEIPTS = click.option(
    "--receipts", default="", metavar="BUCKET", help="The receipts' bucket, instead of --stack; or SETPOINT_RECEIPTS."
)
STACK = click.option("--stack", default="", metavar="NAME", help="The deployed stack; or SETPOINT_STACK.")
COLOR = click.option("--no-color", is_flag=True, help="No colors; the same as NO_COLOR in the environment.")
VERBOSE = click.option(
    *("-v", "--verbose"),
    is_flag=True,
    expose_value=False,
    callback=_verbose,
    help="Tell on stderr what is read, and how long it takes.",
)
AGAINST = click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="OLD",
    help="Also show what changes in meaning, compared with this version.",
)
HOLD_EXPOSURES = click.option(
    "--hold-exposures/--no-hold-exposures",
    default=None,
    help="Hold what newly opens a database or a management port to the internet.",
)
ACCEPT = click.option(
    "--accept",
    multiple=True,
    metavar="ADDRESS",
    shell_complete=_complete_address,
    help="With --into: declare its live values; can be repeated.",
)


def connection_options[Command: Callable[..., Any]](command: Command) -> Command:
    """The options that say where to connect."""
    options = (
        click.option("--profile", default="", help="The AWS profile."),
        click.option("--region", default="", help="The region; for a document it must be the document's."),
        click.option("--endpoint-url", default="", help="An endpoint other than AWS, such as an emulator."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def run_options[Command: Callable[..., Any]](command: Command) -> Command:
    """The options that `plan` and `apply` share; each option of the policy overrides its `SETPOINT_<NAME>`."""
    options = (
        click.option(
            *("--only",),
            multiple=True,
            metavar="ADDRESS",
            shell_complete=_complete_address,
            help="Only this resource; can be repeated.",
        ),
        PAGE_FORM,
        click.option(
            "--max-chars",
            type=click.IntRange(min=2_000),
            metavar="N",
            help="The most characters of -o markdown (60000); what is left out is counted.",
        ),
        click.option("--redact", is_flag=True, help="A page without accounts, addresses and people."),
        click.option("--history", is_flag=True, help="A page with the last 30 days, from the stack's receipts."),
        STACK,
        VERBOSE,
        connection_options,
        COLOR,
        policy_options,
    )
    for option in reversed(options):
        command = option(command)
    return command


def policy_options[Command: Callable[..., Any]](command: Command) -> Command:
    """The deployment's policy, option by option."""
    options = (
        click.option("--mode", type=click.Choice(["correct", "report"]), help="Correct drift, or only report it."),
        click.option("--create-databases/--no-create-databases", default=None, help="Create missing databases."),
        click.option(
            "--downtime", type=click.Choice(["never", "window", "now"]), help="When a database may be interrupted."
        ),
        click.option("--max-breaks", metavar="N", help="The most live members that one run may remove or replace."),
        click.option("--prune/--no-prune", default=None, help="Delete owned resources that are no longer declared."),
        click.option(
            "--adopt/--no-adopt", default=None, help="Give Setpoint's tags to gateways and databases without them."
        ),
        HOLD_EXPOSURES,
        click.option("--max-hold-hours", metavar="N", help="How long a setpoint:hold tag may hold a resource."),
        click.option("--quota-rules", metavar="N", help="The account's quota of rules per security group."),
        click.option("--quota-entries", metavar="N", help="The account's quota of entries per network ACL."),
        click.option("--quota-routes", metavar="N", help="The account's quota of routes per route table."),
    )
    for option in reversed(options):
        command = option(command)
    return command
