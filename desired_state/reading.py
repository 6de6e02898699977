"""Reads the parts of a document one by one, so that an invalid part does not hide the problems of another.

`load.py` makes a `Reading` of the values; it returns the `Document`, or has the findings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import islice
from typing import Annotated, Any

from pydantic import BaseModel, Strict, TypeAdapter, ValidationError

from desired_state import adoption, checks
from desired_state.checks import Parts
from desired_state.document import (
    FORMAT,
    Document,
    DocumentException,
    External,
    FormerNames,
    Name,
    Revision,
    Scope,
    WrittenException,
)
from desired_state.explain import Violation, findings_of
from desired_state.fields import Address, nearest, shown
from desired_state.intents import Intent, Workload
from desired_state.members import References, Tags
from desired_state.network import InternetGateway, Vpc
from desired_state.resource import SECTIONS, Enforcement, Note, Resource
from desired_state.rules import Entries, Routes, Rules
from desired_state.spelling import spelled_exception, spelled_resource, twice
from desired_state.strict_json import Path

UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""`{N: a pure function from format N to format N+1}`. Format 1 is the first."""

_TOP: dict[str, TypeAdapter[Any]] = {
    "$schema": TypeAdapter(Annotated[str, Strict()]),
    "version": TypeAdapter(Annotated[int, Strict()]),
    "name": TypeAdapter(Annotated[Name, Strict()]),
    "formerly": TypeAdapter(FormerNames),
    "note": TypeAdapter(Annotated[Note, Strict()]),
    "revision": TypeAdapter(Annotated[Revision, Strict()]),
    "scope": TypeAdapter(Scope),
    "enforcement": TypeAdapter(Enforcement),
}
ENOUGH = 500
"""Problems that are reported at once; a hostile document could have a hundred thousand."""
_REQUIRED = ("version", "name", "revision", "scope", "resources")
_KNOWN = (*_TOP, "adopt", "external", "resources", "intents", "workloads", "exceptions")
_UNTIL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?)?")


class Reading:
    """Reads a document's values once; `findings` has the problems so far, in no order."""

    def __init__(self, written: Any) -> None:
        self.findings: list[Violation] = []
        self._declared: dict[Address, Path] = {}
        self._resources: dict[Address, Resource] = {}
        self._written = self._envelope(written)

    def document(self, sha256: str, origin: str) -> Document | None:
        """The document, or None if there are findings."""
        if self._written is None:
            return None
        top: dict[str, Any] = {
            part: self._read(of.validate_python, self._written[part], (part,), Scope if part == "scope" else None)
            for part, of in _TOP.items()
            if part in self._written
        }
        scope: Scope | None = top.get("scope")
        enforcement: Enforcement = top.get("enforcement") or "correct"
        # Without any resource, every reference would be called one to what is not declared.
        any_declared = isinstance(self._written.get("resources"), dict)
        for kind, section in self._members("resources", dict).items():
            if len(self.findings) > ENOUGH:
                break
            self._section(kind, section, enforcement)
        vpc = self._vpc(scope)
        external = self._external()
        adopt = self._adopt()
        account = scope.account_id if scope else ""
        self._without_own_account(account)
        intents = self._each(Intent, "intents", list)
        workloads = self._each(Workload, "workloads", dict)
        written = self._each(WrittenException, "exceptions", list)
        exceptions = {
            at: spelled_exception(read, account, {})
            for at, one in written.items()
            if any_declared and len(self.findings) <= ENOUGH and (read := self._exception(one, at))
        }
        named = self._written.get("workloads", {})
        parts = Parts(
            name=top.get("name"),
            formerly=top.get("formerly") or (),
            scope=scope,
            adopt=adopt,
            external=external,
            resources=self._resources,
            declared=self._declared,
            intents=intents,
            workloads=workloads,
            named=frozenset(named) if isinstance(named, dict) and self._written.keys() <= set(_KNOWN) else None,
            exceptions=exceptions,
        )
        if any_declared and len(self.findings) <= ENOUGH:  # with more, reading stopped early
            self.findings += islice(checks.findings(parts), ENOUGH + 1)
        if self.findings or scope is None:
            return None
        return Document(
            name=top["name"],
            formerly=parts.formerly,
            revision=top["revision"],
            scope=scope,
            enforcement=enforcement,
            adopt=adopt,
            external=external,
            resources=self._resources,
            vpc=vpc,
            intents=tuple(intents.values()),
            workloads={str(at[-1]): workload for at, workload in workloads.items()},
            exceptions=tuple(exceptions.values()),
            sha256=sha256,
            origin=origin,
        )

    def _refuse(self, path: Path, problem: str, hint: str, *, on_key: bool = False) -> None:
        self.findings.append(Violation(path, problem, hint, on_key))

    def _refuse_shape(self, path: Path, value: Any, expected: str) -> None:
        self._refuse(path, f"expected {expected}, found {shown(value)}", f"write {expected}")

    def _envelope(self, written: Any) -> dict[str, Any] | None:
        """The document in the current format, its keys checked; None if it cannot be read further."""
        if not isinstance(written, dict):
            found = "" if written is None else f", found {shown(written)}"
            self._refuse((), f"expected an object{found}", 'write { "version": 1, ... }')
            return None
        version = written.get("version")
        if type(version) is int and version != FORMAT and version not in UPGRADES:
            self._refuse(("version",), *_unknown_format(version))
            return None
        document: dict[str, Any] = written
        while type(version) is int and version < FORMAT:
            document = UPGRADES[version](document)
            version += 1
        for key in islice((key for key in document if key not in _KNOWN), ENOUGH + 1):
            self._refuse((key,), f"unknown field {shown(key)}", nearest(key, _KNOWN), on_key=True)
        for key in _REQUIRED:
            if key not in document:
                self._refuse((key,), f'"{key}" is missing', f'add "{key}"')
        return document

    def _read[T](
        self, validate: Callable[[Any], T], value: Any, at: Path, model: type[BaseModel] | None = None
    ) -> T | None:
        try:
            return validate(value)
        except ValidationError as error:
            self.findings += islice(findings_of(error, value, at, model), ENOUGH + 1)
            return None

    def _members(self, part: str, shape: type[Any]) -> Any:
        """The part if it has the right shape, otherwise an empty one."""
        value = (self._written or {}).get(part, shape())
        if isinstance(value, shape):
            return value
        self._refuse_shape((part,), value, "an object" if shape is dict else "a list")
        return shape()

    def _each[M: BaseModel](self, model: type[M], part: str, shape: type[Any]) -> dict[Path, M]:
        """The members that loaded, by path."""
        members = self._members(part, shape)
        pairs = members.items() if isinstance(members, dict) else enumerate(members)
        found: dict[Path, M] = {}
        for key, value in pairs:
            if len(self.findings) > ENOUGH:
                break
            if (read := self._read(model.model_validate, value, (part, key), model)) is not None:
                found[part, key] = read
        return found

    def _section(self, kind: str, section: Any, enforcement: Enforcement) -> None:
        """Adds all resources of a kind to those declared, and to those that loaded."""
        at: Path = ("resources", kind)
        model = SECTIONS.get(kind)
        if model is None:
            self._refuse(at, f"unknown kind of resource {shown(kind)}", nearest(kind, SECTIONS), on_key=True)
            if isinstance(section, dict):  # its resources are misplaced, not missing
                meant = get_close_matches(kind[:64], SECTIONS, n=1) or [kind]
                self._declared |= {Address.of(meant[0], name): (*at, name) for name in section}
        elif not isinstance(section, dict):
            self._refuse_shape(at, section, 'an object of the form { "<name>": { ... } }')
        else:
            for name, fields in section.items():
                if len(self.findings) > ENOUGH:
                    break
                address = Address.of(kind, name)
                self._declared[address] = (*at, name)
                if refused := model.name_problem(name):
                    self._refuse((*at, name), *refused, on_key=True)
                if resource := self._resource(model, fields, (*at, name), enforcement):
                    self._resources[address] = resource

    def _resource(self, model: type[Resource], fields: Any, at: Path, enforcement: Enforcement) -> Resource | None:
        if not isinstance(fields, dict):
            self._refuse_shape(at, fields, "an object")
            return None
        missing = [field for field in sorted(model.required) if fields.get(field) is None]
        for field in missing:
            self._refuse((*at, field), f'"{field}" is missing', f'add "{field}"')
        try:
            resource = model.model_validate({"enforcement": enforcement, **fields})
        except ValidationError as error:
            self.findings += islice(findings_of(error, fields, at, model), ENOUGH + 1)
            return None
        return None if missing else resource

    def _vpc(self, scope: Scope | None) -> Address:
        """The address of the document's VPC, filled in for an internet gateway without one; `vpc/` if there is none."""
        vpc = next((address for address in self._declared if address.kind == "vpc"), None)
        if vpc is None and scope and scope.vpc_id:
            vpc = Address.of("vpc", scope.vpc_id)
            self._declared[vpc] = ("scope", "vpc_id")
            self._resources[vpc] = Vpc(enforcement="ignore")
        if vpc is None:
            return Address("vpc/")
        for address, resource in self._resources.items():
            if isinstance(resource, InternetGateway) and resource.vpc is None:
                self._resources[address] = resource.but(vpc=vpc)
        return vpc

    def _without_own_account(self, account: str) -> None:
        """The ids of groups without the document's own account before them, and no rule in both spellings.
        `adoption.py` refuses an id that the document itself gives an address.
        """
        for address, resource in self._resources.items():
            spelled = spelled_resource(resource, account, {})
            if spelled is resource:
                continue
            self._resources[address] = spelled
            for field in resource.described():
                for index, key in twice(getattr(resource, field), account):
                    at = ("resources", address.kind, address.name, field, index)
                    hint = "write it once: an id says the same with and without the document's own account"
                    self._refuse(at, f"a duplicate of the rule {key}", hint)

    def _adopt(self) -> dict[Address, str]:
        """The entries of `adopt` that are texts; `adoption.py` checks them."""
        found: dict[Address, str] = {}
        for key, value in self._members("adopt", dict).items():
            if len(self.findings) > ENOUGH:
                break
            if isinstance(value, str):
                found[Address(key)] = value
            else:
                self._refuse_shape(("adopt", key), value, 'an id as a string, or "new"')
        return found

    def _external(self) -> dict[Address, External]:
        """The entries of `external` that loaded; each is also a resource without fields, whether it loaded or not."""
        found: dict[Address, External] = {}
        for key, value in self._members("external", dict).items():
            if len(self.findings) > ENOUGH:
                break
            address, at = Address(key), ("external", key)
            read = self._read(External.model_validate, value, at, External)
            if refused := adoption.address_problem(address, self._declared):
                self._refuse(at, *refused, on_key=True)
                continue
            model = SECTIONS[address.kind]
            if refused := model.name_problem(address.name):
                self._refuse(at, *refused, on_key=True)
            self._declared[address] = at
            self._resources[address] = model(enforcement="ignore")
            if read:
                found[address] = read
        return found

    def _exception(self, written: WrittenException, at: Path) -> DocumentException | None:
        before = len(self.findings)
        model = SECTIONS.get(written.address.kind)
        value = None
        if self._declared.get(written.address, at)[0] == "external":
            hint = "take the exception out: what is external is not compared"
            self._refuse((*at, "address"), f"{shown(written.address)} is external", hint)
        elif written.address not in self._declared or model is None:
            hint = nearest(written.address, self._declared)
            self._refuse((*at, "address"), f"{shown(written.address)} is not declared in this document", hint)
        elif written.field not in model.described():
            hint = nearest(written.field, model.described())
            self._refuse((*at, "field"), f"a {written.address.kind} has no field {shown(written.field)}", hint)
        else:
            value = self._excepted(model, written, (*at, "value"))
        until = self._moment(written.until, (*at, "until"))
        if len(self.findings) > before or until is None:
            return None
        return DocumentException(written.address, written.field, value, until, written.reason)

    def _excepted(self, model: type[Resource], written: WrittenException, at: Path) -> Any:
        """The canonical value of an exception: one member of a collection, or the value of a scalar."""
        collection, field = model.collection(written.field), written.field
        if collection is Routes and (route := Routes.tolerated(written.value)):
            return route
        in_list = collection is not None and issubclass(collection, (Rules, References))
        fields = {field: [written.value] if in_list else written.value}
        try:
            value = getattr(model.model_validate(fields), field)
        except ValidationError as error:
            skipped = len((field, 0)) if in_list else len((field,))
            for finding in findings_of(error, fields, (), model):
                self.findings.append(finding._replace(path=(*at, *finding.path[skipped:])))
            return None
        if collection is None:
            return value
        if len(value) != 1:
            self._refuse(at, f"expected one member, found {len(value)}", "write an exception for each")
            return None
        (member,) = value.items() if issubclass(collection, (Entries, Routes, Tags)) else value
        return member

    def _moment(self, text: str, at: Path) -> datetime | None:
        """The start of a date in UTC, or a date with a time and an offset."""
        try:
            moment = datetime.fromisoformat(text) if _UNTIL.fullmatch(text) else None
        except ValueError:
            moment = None
        if moment is None:
            hint = 'write "2027-01-31" (until that day starts in UTC) or "2027-01-31T18:00:00Z"'
            self._refuse(at, f"{shown(text)} is not a date", hint)
        elif moment.tzinfo is None and "T" in text:
            self._refuse(at, f"{shown(text)} has no time zone", f'write "{text}Z" for UTC, or add an offset: +09:00')
            return None
        return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _unknown_format(version: int) -> tuple[str, str]:
    if version < FORMAT:
        return f"there is no version {shown(version)}", f'write "version": {FORMAT}'
    problem = f"the document has version {shown(version)}, this Setpoint reads version {FORMAT}"
    return problem, "upgrade Setpoint"
