"""The plan file: `plan --out` writes it, a person reviews it, `apply --plan` applies exactly it or nothing.

Its JSON is for people and programs; `run` only compares its fingerprint with the current plan.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from desired_state.document import Document
from desired_state.sanitize import sanitize

_MOST_BYTES = 64 * 1024 * 1024
_CREATE = "create one with: setpoint plan DOC --out FILE"


class PlanFileError(Exception):
    """A plan file that cannot be written, is not a plan file, or is for another document, account or region."""


class _Of(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    revision: int
    sha256: str


class PlanFile(BaseModel):
    """What `apply` needs of a plan file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format_version: Literal[1]
    file: Literal["setpoint plan"]
    account: str
    region: str
    document: _Of
    only: tuple[str, ...] | None
    policy: dict[str, Any]
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


def content(report: Mapping[str, Any], only: frozenset[str] | None) -> str:
    """The text of a plan file, from the report as `as_json` gives it."""
    names = ("account", "region", "document", "policy", "started", "fingerprint", "counts", "actions")
    head = {"format_version": 1, "file": "setpoint plan", "only": sorted(only) if only is not None else None}
    return json.dumps(head | {name: report[name] for name in names}, indent=2) + "\n"


def check_place(path: Path) -> None:
    """Refuse, before any work, to overwrite something that is not a plan file. Raises PlanFileError."""
    if path.is_dir() or not path.parent.is_dir():
        raise PlanFileError(
            f"{sanitize(str(path))}: no file can be written here; name a file in a directory that exists"
        )
    if path.exists() and path.stat().st_size:
        try:
            read(path)
        except PlanFileError:
            raise PlanFileError(
                f"{sanitize(str(path))}: it exists and is not a plan file; choose another name"
            ) from None


def write(path: Path, text: str) -> None:
    """Write a plan file. Raises PlanFileError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PlanFileError(f"{sanitize(str(path))}: cannot be written: {error.strerror}; check the path") from error


def read(path: Path) -> PlanFile:
    """The plan in a file. Raises PlanFileError."""
    where = sanitize(str(path))
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise PlanFileError(f"{where}: too large to be a plan file; {_CREATE}")
        return PlanFile.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise PlanFileError(f"{where}: cannot be read: {error.strerror}; check the path") from error
    except ValidationError as error:
        what = ", ".join(sorted({str(one["loc"][0]) for one in error.errors() if one["loc"]})) or "all of it"
        raise PlanFileError(f"{where}: not a plan file of this version ({sanitize(what)}); {_CREATE}") from None
    except (ValueError, RecursionError):
        raise PlanFileError(f"{where}: not a plan file; {_CREATE}") from None


def check(plan: PlanFile, path: Path, document: Document) -> None:
    """Refuse a plan for another document, account, region or revision. Raises PlanFileError."""
    where, scope = sanitize(str(path)), document.scope
    if plan.document.name != document.name:
        raise PlanFileError(
            f"{where}: the plan is for document {sanitize(plan.document.name)}, this is {document.name}"
        )
    if (plan.account, plan.region) != (scope.account_id, scope.region):
        planned = f"account {sanitize(plan.account)}, {sanitize(plan.region)}"
        raise PlanFileError(
            f"{where}: the plan is for {planned}, the document is for account {scope.account_id}, {scope.region}"
        )
    if plan.document.sha256 != document.sha256:
        was = f"revision {plan.document.revision}, sha256 {sanitize(plan.document.sha256)[:12]}"
        now = f"revision {document.revision}, sha256 {document.sha256[:12]}"
        raise PlanFileError(f"{where}: the document has changed since the plan, from {was} to {now}; plan again")
