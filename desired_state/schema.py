"""The JSON Schema of the document, for editors and for programs that write documents.

`python -m desired_state.schema` writes `schema.v1.json`, and a test fails if that file is stale. The schema has the
shape only; `load` also checks canonical forms, references and quotas.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from desired_state.descriptions import ANY, DESCRIPTIONS
from desired_state.document import (
    FORMAT,
    FORMER_NAMES,
    NEW,
    External,
    FormerNames,
    Name,
    Revision,
    Scope,
    WrittenException,
)
from desired_state.intents import Intent, Workload
from desired_state.resource import SECTIONS, Enforcement, Note, Resource

FILE = Path(__file__).with_name(f"schema.v{FORMAT}.json")
_PARTS = (Scope, External, Intent, Workload, WrittenException)


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of a document."""
    models: list[type[BaseModel]] = [*SECTIONS.values(), *_PARTS]
    _, generated = models_json_schema([(model, "validation") for model in models])
    definitions = {name: _described(name, _plain(definition)) for name, definition in generated["$defs"].items()}
    for model in SECTIONS.values():
        if model.required:
            definitions[model.__name__]["required"] = sorted(model.required)
        if model.never_renamed:
            del definitions[model.__name__]["properties"]["formerly"]
    sections = {
        kind: {
            "type": "object",
            "additionalProperties": _reference(model.__name__),
            "description": f"By name. {definitions[model.__name__].get('description', '')}".strip(),
        }
        for kind, model in SECTIONS.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Setpoint document, version {FORMAT}",
        "description": "The desired state of one AWS VPC and its databases. A field that is left out is not managed.",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "name", "revision", "scope", "resources"],
        "properties": {
            "$schema": {"type": "string", "description": "For editors; Setpoint ignores it."},
            "version": {"const": FORMAT, "description": "The version of this format."},
            "name": TypeAdapter(Name).json_schema()
            | {"description": "The name of the document; the setpoint:document tag of its resources."},
            "formerly": TypeAdapter(FormerNames).json_schema()
            | {
                "items": TypeAdapter(Name).json_schema(),
                "maxItems": FORMER_NAMES,
                "description": "Earlier names of the document: their tags count as its own.",
            },
            "note": TypeAdapter(Note).json_schema(),
            "revision": TypeAdapter(Revision).json_schema()
            | {"description": "A number that the author increases with every change."},
            "scope": _reference("Scope") | {"description": "Where the network is: account, region and VPC."},
            "enforcement": {
                "enum": list(get_args(Enforcement)),
                "default": "correct",
                "description": "What to do about drift; a resource can override it.",
            },
            "adopt": {
                "type": "object",
                "additionalProperties": False,
                "description": (
                    "Which live resource a declared one is: its id (of a DB instance its DbiResourceId), or "
                    f'"{NEW}" to have one made although something could be it. Not needed after the first apply.'
                ),
                "patternProperties": {f"^{kind}/.": _adopted(model) for kind, model in SECTIONS.items()},
            },
            "external": {
                "type": "object",
                "additionalProperties": False,
                "description": "What the document refers to and does not own, by the address that it has here.",
                "patternProperties": {f"^{kind}/.": _reference("External") for kind in SECTIONS if kind != "vpc"},
            },
            "resources": {
                "type": "object",
                "additionalProperties": False,
                "description": "Resources by kind and name; <kind>/<name> is a resource's address.",
                "properties": sections,
            },
            "intents": {
                "type": "array",
                "items": _reference("Intent"),
                "description": "What may reach what.",
            },
            "workloads": {
                "type": "object",
                "additionalProperties": _reference("Workload"),
                "description": "Names of machines, for intents.",
            },
            "exceptions": {
                "type": "array",
                "items": _reference("WrittenException"),
                "description": "Live values that are accepted until a date, although they are not declared.",
            },
        },
        "$defs": definitions,
    }


def written() -> str:
    """The content of the schema's file."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"


def _adopted(model: type[Resource]) -> dict[str, Any]:
    """What `adopt` may say of a resource of this kind."""
    an_id = {"type": "string", "pattern": f"^{model.id_form.pattern}$"} if model.id_form else {"type": "string"}
    return an_id if model.never_renamed else {"anyOf": [an_id, {"const": NEW}]}


def _described(name: str, definition: dict[str, Any]) -> dict[str, Any]:
    """The definition with what `descriptions.py` says of its properties, where they do not say it themselves."""
    known = {**ANY, **DESCRIPTIONS.get(name, {})}
    for field, one in definition.get("properties", {}).items():
        if field in known:
            one.setdefault("description", known[field])
    return definition


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


def _plain(node: Any, inside: str = "") -> Any:
    """Without null, which a document cannot contain, and without the titles that only repeat a field's name."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    names = inside in {"properties", "$defs"}  # the keys are names, not keywords of JSON Schema
    plain = {
        key: _plain(value, "" if names else key)
        for key, value in node.items()
        if names or (not (key == "title" and "properties" not in node) and not (key == "default" and value is None))
    }
    options = [option for option in plain.get("anyOf", ()) if option != {"type": "null"}] if not names else []
    if len(options) == 1:
        return {**options[0], **{key: value for key, value in plain.items() if key != "anyOf"}}
    return plain | {"anyOf": options} if options else plain


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
