"""`setpoint import`: which VPC, under which name, into which file; what is read and written is in the reconciler.

The document goes to stdout or to a file, everything else to stderr. Nothing is written before all of it is proven.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click
from pydantic import TypeAdapter, ValidationError

from desired_state.document import Name, Scope
from desired_state.explain import findings_of
from desired_state.fields import Address
from desired_state.load import DocumentError, load
from desired_state.sanitize import sanitize
from desired_state.sources import read_file
from handlers import document_file, terminal, wiring
from handlers.progress import Progress
from handlers.refusal import Kind, Refused
from handlers.trace import Trace
from reconciler.engine.run import Environment, ObserveError
from reconciler.importing.draft import Choices, ImportRefused
from reconciler.importing.into import Addition, into
from reconciler.importing.naming import document_name
from reconciler.importing.new import Imported, Request, new_document
from reconciler.importing.reading import RememberedReads
from reconciler.importing.report import FORMAT_VERSION, as_json, text
from reconciler.importing.vpcs import COLUMNS, VpcSummary, in_use, name_of, vpcs
from reconciler.kinds import REGISTRY

_NAME: TypeAdapter[str] = TypeAdapter(Name)


@dataclass(frozen=True)
class ImportOptions:
    """The options of the command, as they were given."""

    vpc_ids: tuple[str, ...]
    every: bool
    name: str
    out: Path | None
    into: Path | None
    accept: tuple[str, ...]
    choices: Choices
    form: str
    connection: wiring.ConnectionOptions
    no_color: bool = False
    trace: Trace = field(default_factory=Trace)

    @property
    def several(self) -> bool:
        """Whether there may be several documents, so that they go into a folder."""
        return self.every or len(self.vpc_ids) > 1


def run(options: ImportOptions) -> None:
    """One import. Raises Refused: nothing was written."""
    try:
        _check(options)
        _Import(options).run()
    except (ImportRefused, document_file.FileRefused, wiring.CannotConnect, DocumentError) as error:
        kind = next(kind for raised, kind in _KINDS.items() if isinstance(error, raised))
        raise Refused(sanitize_lines(str(error)), kind, getattr(error, "problems", ())) from error
    except (ObserveError, *wiring.FAILURES) as error:
        raise Refused(f"the network could not be read: {sanitize(str(error))}", Kind.NETWORK) from error


_KINDS: Mapping[type[Exception], Kind] = {
    ImportRefused: Kind.USAGE,
    document_file.FileRefused: Kind.FILE,
    wiring.CannotConnect: Kind.CONNECTION,
    DocumentError: Kind.DOCUMENT,
}


def sanitize_lines(message: str) -> str:
    """A message of several lines, each of them sanitized."""
    return "\n".join(map(sanitize, message.splitlines()))


def _check(options: ImportOptions) -> None:
    """Refuse options that contradict each other."""
    if options.name:
        _name(options.name)
    unknown = sorted(options.choices.only - REGISTRY.keys())
    if unknown:
        raise ImportRefused(f"--only: there is no kind {unknown[0]!r}; write one of {', '.join(REGISTRY)}")
    if options.accept and not options.into:
        raise ImportRefused("--accept takes live values into a document: give --into DOC too")
    if options.into and (options.every or options.name or options.out or len(options.vpc_ids) > 1):
        raise ImportRefused(
            "--into adds to one document, in its own file: leave --all, --name, --out and other VPCs out"
        )
    if options.every and options.vpc_ids:
        raise ImportRefused("--all is every VPC: leave --vpc out")
    if options.several and (not options.out or (options.out.exists() and not options.out.is_dir())):
        raise ImportRefused("several documents need a folder: give --out DIR")
    if options.several and options.name:
        raise ImportRefused("--name names one document: leave it out, or import one VPC")


@dataclass(frozen=True)
class _Written:
    """A document and the file that it goes to; None: stdout."""

    imported: Imported
    target: Path | None


class _Import:
    """One import: the connection, the reads, and what is written at the end."""

    def __init__(self, options: ImportOptions) -> None:
        self._options = options
        self._shows_progress = terminal.is_live() and options.form == "text" and not options.trace.on
        self._progress = Progress(live=self._shows_progress)

    def run(self) -> None:
        try:
            if self._options.into:
                self._into(self._options.into)
            else:
                self._new()
        finally:
            self._progress.close()

    def _new(self) -> None:
        connection, account = wiring.connect_anywhere(self._options.connection, self._options.trace.watch)
        environment = self._environment(connection)
        reads = RememberedReads(environment.aws)
        scope = Scope(account_id=account, region=connection.region)
        left_out: list[str] = []
        if self._options.every:
            requests, left_out = self._every(scope, reads, environment)
        elif self._options.vpc_ids:
            requests = self._named(scope, reads, environment)
        else:
            requests = [self._asked(scope, vpcs(reads), environment)]
        targets = [self._target(request) for request in requests]
        folder = self._options.out if self._options.several else None
        for target in targets:
            if target:
                document_file.check_new(target, makes_folder=target.parent == folder)
        done = [
            _Written(self._imported(request, reads), target) for request, target in zip(requests, targets, strict=True)
        ]
        self._progress.close()
        if folder:
            document_file.make_folder(folder)
        for one in done:
            if one.target:
                document_file.create(one.target, one.imported.data)
            else:
                click.echo(one.imported.data, nl=False)
        self._tell(done, left_out)

    def _imported(self, request: Request, reads: RememberedReads) -> Imported:
        try:
            return new_document(request, reads)
        except ImportRefused as error:
            if not self._options.several:
                raise
            raise ImportRefused(f"{request.scope.vpc_id}: {error}") from error

    def _into(self, path: Path) -> None:
        """Add to the document in a file: the additions are shown first, and approved at a terminal."""
        options = self._options
        data = read_file(path)
        document = load(data, str(path))
        environment = self._environment(wiring.connect(document, options.connection, options.trace.watch))
        addition = Addition(document, data, environment.now, tuple(map(Address, options.accept)), options.choices)
        imported = into(addition, RememberedReads(environment.aws))
        self._progress.close()
        if options.vpc_ids and imported.vpc_id != options.vpc_ids[0]:
            raise ImportRefused(f"{path} describes {imported.vpc_id}, not {options.vpc_ids[0]}: leave --vpc out")
        self._tell([_Written(imported, path)], [])
        if imported.data == data:
            return
        if terminal.is_person() and not click.confirm(f"Write this to {sanitize(str(path))}?", err=True):
            raise ImportRefused("not approved; nothing was written")
        document_file.replace(path, imported.data, data)

    def _environment(self, connection: wiring.AwsConnection) -> Environment:
        if not self._shows_progress:
            return wiring.environment(connection)
        return wiring.environment(connection, on_read=self._progress.read, on_throttle=self._progress.throttled)

    def _request(self, scope: Scope, name: str, environment: Environment, *, explicit: bool) -> Request:
        return Request(scope, name, environment.now, explicit, self._options.choices)

    def _named(self, scope: Scope, reads: RememberedReads, environment: Environment) -> list[Request]:
        """The VPCs of the options, under their Name tags."""
        scopes = [_scope(scope, vpc_id) for vpc_id in dict.fromkeys(self._options.vpc_ids)]
        if self._options.name:
            return [self._request(scopes[0], self._options.name, environment, explicit=True)]
        names = _unique({str(one.vpc_id): name_of(one, reads) for one in scopes})
        return [self._request(one, names[str(one.vpc_id)], environment, explicit=False) for one in scopes]

    def _every(self, scope: Scope, reads: RememberedReads, environment: Environment) -> tuple[list[Request], list[str]]:
        """Every VPC that something uses, and why the others are left out."""
        left_out, chosen = [], {}
        for one in vpcs(reads):
            what = f"{one.id} ({'default VPC' if one.is_default else one.name or 'no Name tag'})"
            if one.document:
                left_out.append(f"{what} belongs to the document {one.document!r}")
            elif not in_use(_scope(scope, one.id), one, reads):
                left_out.append(f"{what}: nothing uses it")
            else:
                chosen[one.id] = one.name
        if not chosen:
            raise ImportRefused(f"there is no VPC to import: {'; '.join(left_out) or 'the region has none'}")
        names = _unique(chosen)
        requests = [self._request(_scope(scope, one), names[one], environment, explicit=False) for one in chosen]
        return requests, left_out

    def _asked(self, scope: Scope, found: list[VpcSummary], environment: Environment) -> Request:
        """The VPC that a person chooses, and the name of its document."""
        self._progress.close()
        if not found:
            raise ImportRefused("there is no VPC in this region: name another with --region")
        click.echo("\n".join(_table(found)), err=True)
        if not terminal.is_person():
            raise ImportRefused("there is no terminal to ask which one: give --vpc ID")
        by_answer = {str(number): one for number, one in enumerate(found, start=1)} | {one.id: one for one in found}
        default = "1" if len(found) == 1 else None
        choice = click.Choice(list(by_answer))
        answer = click.prompt("Which VPC, by number or id", type=choice, default=default, show_choices=False, err=True)
        chosen = by_answer[answer]
        named = document_name(chosen.name) or chosen.id
        name = self._options.name or click.prompt("Name of its document", default=named, value_proc=_name, err=True)
        return self._request(_scope(scope, chosen.id), name, environment, explicit=True)

    def _target(self, request: Request) -> Path | None:
        """The file that a document goes to; None: stdout. A person who was asked for a VPC is asked for a file too."""
        options = self._options
        if options.out:
            return options.out / f"{request.name}.json" if options.several or options.out.is_dir() else options.out
        if options.vpc_ids or not terminal.is_terminal(sys.stdout):
            return None
        answer = click.prompt("File to write it to (- for the terminal)", default=f"{request.name}.json", err=True)
        return None if answer == "-" else Path(answer)

    def _tell(self, done: list[_Written], left_out: list[str]) -> None:
        """The report of each document, and what to do next."""
        if self._options.form == "json":
            imports = [as_json(one.imported, str(one.target or "stdout")) for one in done]
            values = {"format_version": FORMAT_VERSION, "imports": imports, "left_out": left_out}
            click.echo(json.dumps(values, indent=2), err=True)
            return
        style = terminal.style_on(sys.stderr, no_color=self._options.no_color)
        for one in done:
            click.echo(text(one.imported, str(one.target or "stdout"), style), err=True)
            if one.imported.changed:
                click.echo(f"Next: {self._next(one.target)}", err=True)
        for line in left_out:
            click.echo(f"Left out: {sanitize(line)}", err=True)

    def _next(self, target: Path | None) -> str:
        command = terminal.command("plan", target or Path("FILE"), [], asdict(self._options.connection))
        return command if target else f"write it to a file, then: {command}"


def _scope(scope: Scope, vpc_id: str) -> Scope:
    """The scope with this VPC."""
    try:
        return Scope.model_validate({**scope.model_dump(), "vpc_id": vpc_id})
    except ValidationError as error:
        problem = next(findings_of(error, {"vpc_id": vpc_id}, ()))
        raise ImportRefused(f"{problem.problem}; {problem.hint}") from None


def _unique(names: Mapping[str, str]) -> dict[str, str]:
    """The names of documents by VPC: the Name tags as far as they can be one, with the end of the id if several VPCs
    would have the same.
    """
    wanted = {vpc_id: document_name(name) or vpc_id for vpc_id, name in names.items()}
    times = Counter(wanted.values())
    return {one: name if times[name] == 1 else f"{name[:58]}-{one[-4:]}" for one, name in wanted.items()}


def _name(text: str) -> str:
    """The name of a document. Raises click.UsageError."""
    try:
        return _NAME.validate_python(text)
    except ValidationError as error:
        problem = next(findings_of(error, text, ()))
        raise click.UsageError(f"{problem.problem}; {problem.hint}") from None


def _table(found: list[VpcSummary]) -> Iterator[str]:
    """The VPCs in columns, numbered."""
    rows = [("", *COLUMNS), *((str(number), *one.cells()) for number, one in enumerate(found, start=1))]
    shown = [[sanitize(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in shown) for column in range(len(COLUMNS) + 1)]
    for row in shown:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
