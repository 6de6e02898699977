"""`setpoint rollback`: the text of an earlier revision under a new number, shown first, then written or uploaded.

It goes forward: from the upload on, the new revision is like any other, and passes the same selection and the same
gates. The default is a file for a commit, because what is uploaded behind the repository's back is overwritten by its
next upload.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from desired_state.load import DocumentError, load
from desired_state.renumber import renumbered, revision_of
from desired_state.rollback import Choice, NoRollback, ReadVersion, choose
from desired_state.rollback_note import LONGEST_REASON, RollbackNote, fits
from desired_state.sanitize import sanitize
from desired_state.sources import Documents, ObjectVersion, SourceError
from handlers import document_file, network_command, terminal, wiring
from handlers.options import CommandState, policy
from handlers.refusal import Kind, Refused, refusing
from handlers.rollback_upload import Upload
from handlers.stack_of import Deployed, Given, s3, stack_of
from reconciler.report.rollback import Rollback, as_json, text
from reconciler.report.text import text as plan_text
from reconciler.revision.rollback import beforehand, never_taken_back

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from desired_state.document import Document
    from reconciler.engine.run import Report
    from reconciler.revision.change import RevisionChange

_AT_ONCE = 8
"""Versions that are read at the same time."""
_MANY = 200
"""More versions than this take seconds, so a person is told."""


@dataclass(frozen=True)
class RollbackOptions:
    """The options of the command, as they were given; `run` are those of a plan."""

    name: str
    to: int | None
    version_id: str
    form: str
    reason: str
    out: Path | None
    upload: bool
    stack: str
    bucket: str
    network_profile: str
    run: Mapping[str, Any]


@dataclass(frozen=True)
class _Found:
    """What was read of the object: every version, the newest first, and the choice."""

    versions: tuple[ReadVersion, ...]
    deleted: bool
    choice: Choice

    def revision_with(self, data: bytes) -> ReadVersion | None:
        """The newest version with these bytes."""
        return next((one for one in self.versions if one.data == data), None)


def run(at: CommandState, options: RollbackOptions) -> None:
    """One rollback. Raises Refused: then nothing was written and nothing uploaded, unless it says otherwise."""
    if options.upload and not terminal.is_person():
        hint = "write it with --out, and commit it"
        raise Refused(f"--upload asks a person, and there is no terminal; {hint}", Kind.NOT_APPROVED)
    if not fits(options.reason):
        raise Refused(f"--reason: it is too long for the object's metadata; write at most {LONGEST_REASON} characters")
    given = wiring.ConnectionOptions.taken_from(dict(options.run))
    connection, account = refusing(
        wiring.CannotConnect, Kind.CONNECTION, lambda: wiring.connect_anywhere(given, at.trace.watch)
    )
    deployed = stack_of(connection, account, Given.of(os.environ, stack=options.stack, bucket=options.bucket))
    client, bucket = s3(connection), deployed.documents_bucket()
    found = _found(Documents(client, bucket, deployed.prefix), options, at)
    document, data = _rolled(found.choice, options.name, deployed)
    if options.out:
        _check_out(options.out, found)
    rollback, report, change = _judged(at, found, document, data, options, deployed)
    asked = options.upload
    if options.form == "text" or asked:
        _show(rollback, report, change, options, err=asked)
    uploaded = _upload(client, bucket, deployed, rollback, options, change, report) if asked else None
    written = _write(options.out, data, found) if options.out else ""
    if options.form == "json":
        values = as_json(rollback) | {"plan": terminal.report_as_json(report, change)}
        done = {"written": str(options.out) if options.out else None, "uploaded": uploaded}
        click.echo(json.dumps(values | done, indent=2))
    else:
        _tell(rollback, written, uploaded)


def _found(documents: Documents, options: RollbackOptions, at: CommandState) -> _Found:
    """All versions of the object, and which one is meant."""
    try:
        listed = documents.versions(options.name)
    except SourceError as error:
        raise Refused(str(error), Kind.CONNECTION) from error
    at.trace.tell(f"{options.name}: {len(listed.versions)} versions")
    if len(listed.versions) > _MANY and options.form == "text":
        click.echo(f"  reading {len(listed.versions):,} versions of {options.name}", err=True)
    if not listed.versions:
        hint = "check the name, which is that of the object without .json, and the bucket"
        raise Refused(f"{sanitize(options.name)}: there is no such document, and there never was; {hint}")
    read = _read(documents, options.name, listed.versions)
    chosen = refusing(
        NoRollback,
        Kind.USAGE,
        lambda: choose(read, to=options.to, version_id=options.version_id, deleted=listed.deleted),
    )
    return _Found(read, listed.deleted, chosen)


def _read(documents: Documents, name: str, listed: tuple[ObjectVersion, ...]) -> tuple[ReadVersion, ...]:
    """Every version with its text. Versions with one ETag have the same bytes, so they are read once.

    The newest one is always read itself, for what a rollback has noted on it.
    """

    def read(version: ObjectVersion) -> ReadVersion:
        try:
            pinned = documents.version(name, version.version_id)
        except SourceError as error:
            return ReadVersion(version, problem=str(error))
        return ReadVersion(version, revision_of(pinned.data), pinned.data, note=pinned.rollback)

    newest, *older = listed
    once = {one.etag: one for one in older}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        first, *others = pool.map(read, (newest, *once.values()))
    by_etag = dict(zip(once, others, strict=True))
    return (first, *(replace(by_etag[one.etag], version=one, note=None) for one in older))


def _rolled(choice: Choice, name: str, deployed: Deployed) -> tuple[Document, bytes]:
    """The document as it is to be uploaded. Raises Refused for a text that is not valid today."""
    where = f"revision {choice.to} ({choice.target})"
    try:
        data = renumbered(choice.target.data or b"", choice.number)
        document = load(data, f"revision {choice.number}, with the text of revision {choice.to}")
    except (DocumentError, ValueError) as error:
        key = f"--bucket {deployed.bucket} --key {deployed.prefix}{name}.json"
        hint = f"aws s3api get-object {key} --version-id {choice.target.version.version_id} {name}.json"
        problem = f"the text of {where} is no valid document by today's rules; nothing was done; mend it by hand:"
        raise Refused(
            f"{error}\n{sanitize(f'{problem} {hint}')}", Kind.DOCUMENT, getattr(error, "problems", ())
        ) from error
    if document.name != name:
        problem = f"the text of {where} is the document {document.name}, not {name}"
        raise Refused(f"{problem}: it was never in force here", Kind.DOCUMENT)
    return document, data


def _judged(
    at: CommandState, found: _Found, document: Document, data: bytes, options: RollbackOptions, deployed: Deployed
) -> tuple[Rollback, Report, RevisionChange | None]:
    """What the rollback would do, by the stack's own policy where the stack is named."""
    scope = document.scope
    if scope.account_id != deployed.account and not options.network_profile:
        problem = f"the bucket is in account {deployed.account}, and the document for account {scope.account_id}"
        raise Refused(f"{problem}; name a profile of that one with --network-profile", Kind.CONNECTION)
    chosen = {**deployed.policy, **{name: value for name, value in options.run.items() if value is not None}}
    allowed = policy(chosen)
    connecting = {**options.run, "profile": options.network_profile or options.run["profile"]}
    newest = _newest(found.choice.newest)
    change = None
    if newest:
        from reconciler.revision.compare import compare

        change = compare(newest, document)
    report = network_command.planned(at, document, allowed, connecting)
    warnings = (*beforehand(newest, document, allowed, datetime.now(UTC)), *never_taken_back(report))
    rollback = Rollback(options.name, found.choice, data, warnings, found.deleted, options.reason)
    return rollback, report, change


def _newest(newest: ReadVersion) -> Document | None:
    """The newest version as a document; None if it is none."""
    try:
        return load(newest.data or b"", f"revision {newest.revision}")
    except DocumentError:
        return None


def _show(
    rollback: Rollback, report: Report, change: RevisionChange | None, options: RollbackOptions, *, err: bool
) -> None:
    """Print all of it: on stderr if it is part of a question."""
    stream = sys.stderr if err else sys.stdout
    style = terminal.style_on(stream, no_color=options.run["no_color"])
    parts = [text(rollback, style)]
    if change:
        from reconciler.report.revision import text as meaning

        parts.append(meaning(change, holds=report.policy.hold_exposures, style=style))
    parts.append(plan_text(report, style))
    click.echo("\n\n".join(parts), err=err)


def _upload(
    client: S3Client,
    bucket: str,
    deployed: Deployed,
    rollback: Rollback,
    options: RollbackOptions,
    change: RevisionChange | None,
    report: Report,
) -> str:
    """The id of the new version, once a person has said yes. Raises Refused."""
    choice = rollback.choice
    held = bool(change and change.holds and report.policy.hold_exposures)
    waits = " It will wait for an approval, as said above." if held else ""
    question = f"Upload this as revision {choice.number} of {rollback.document}?{waits} Only `yes` is accepted: "
    click.echo(f"\n{question}", err=True, nl=False)
    if sys.stdin.readline().strip() != "yes":
        raise Refused("not approved; nothing was uploaded", Kind.NOT_APPROVED)
    etag = "" if rollback.deleted else choice.newest.version.etag
    note = RollbackNote(choice.to, options.reason)
    return Upload(client, bucket, deployed.prefix, options.name).put(rollback.data, note, etag)


def _check_out(out: Path, found: _Found) -> None:
    """Refuse a place where the file cannot be written, before any work."""
    if not os.path.lexists(out):
        refusing(document_file.FileRefused, Kind.FILE, lambda: document_file.check_new(out))
        return
    try:
        known = found.revision_with(out.read_bytes())
    except OSError as error:
        raise Refused(
            f"{sanitize(str(out))}: cannot be read: {error.strerror}; give another --out", Kind.FILE
        ) from error
    if known is None:
        problem = f"{sanitize(str(out))} exists, and has a text that is in no version of the object"
        raise Refused(f"{problem}; move it away, or give another --out", Kind.FILE)


def _write(out: Path, data: bytes, found: _Found) -> str:
    """Write the file, and what to say of it. A file is replaced only if the bucket has its text too."""
    shown = sanitize(str(out))
    if not os.path.lexists(out):
        refusing(document_file.FileRefused, Kind.FILE, lambda: document_file.create(out, data))
        return f"Written: {shown}."
    _check_out(out, found)
    before = out.read_bytes()
    refusing(document_file.FileRefused, Kind.FILE, lambda: document_file.replace(out, data, before))
    known = found.revision_with(before)
    was = f"the text of revision {known.revision}" if known and known.revision else "a text that the bucket has too"
    return f"Written: {shown}, in place of {was}."


def _tell(rollback: Rollback, written: str, uploaded: str | None) -> None:
    """What was done, and what to do next."""
    number = rollback.choice.number
    if uploaded is not None:
        click.echo(f"Uploaded: revision {number} of {rollback.document}, version {sanitize(uploaded)}.")
        click.echo(
            "Put the same text into the repository, or its next upload is refused as an older revision.", err=True
        )
    if written:
        click.echo(written)
        if uploaded is None:
            reason = ", with the reason," if rollback.reason else ""
            hint = f"commit the file{reason} so that it is uploaded as any other revision"
            click.echo(f"Nothing was uploaded: {hint}.", err=True)
    if uploaded is None and not written:
        how = "--out FILE writes it for a commit, --upload puts it into the bucket"
        click.echo(f"\nNothing was written and nothing uploaded: {how}.", err=True)
