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

from desired_state.document import FORMAT, Intent, Name, Revision, Scope, Workload, WrittenException
from desired_state.resource import SECTIONS, Enforcement

FILE = Path(__file__).with_name(f"schema.v{FORMAT}.json")
_PARTS = (Scope, Intent, Workload, WrittenException)


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of a document."""
    models: list[type[BaseModel]] = [*SECTIONS.values(), *_PARTS]
    _, generated = models_json_schema([(model, "validation") for model in models])
    definitions = {name: _plain(definition) for name, definition in generated["$defs"].items()}
    for model in SECTIONS.values():
        if model.required:
            definitions[model.__name__]["required"] = sorted(model.required)
    sections = {
        kind: {"type": "object", "additionalProperties": _reference(model.__name__)} for kind, model in SECTIONS.items()
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
            "revision": TypeAdapter(Revision).json_schema()
            | {"description": "A number that the author increases with every change."},
            "scope": _reference("Scope"),
            "enforcement": {
                "enum": list(get_args(Enforcement)),
                "default": "correct",
                "description": "What to do about drift; a resource can override it.",
            },
            "resources": {
                "type": "object",
                "additionalProperties": False,
                "description": "Resources by kind and name; <kind>/<name> is a resource's address.",
                "properties": sections,
            },
            "intents": {"type": "array", "items": _reference("Intent")},
            "workloads": {"type": "object", "additionalProperties": _reference("Workload")},
            "exceptions": {"type": "array", "items": _reference("WrittenException")},
        },
        "$defs": definitions,
    }


def written() -> str:
    """The content of the schema's file."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"


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
