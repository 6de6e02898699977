"""The JSON Schema of the document, for editors and for people who write documents with programs.

`python -m desired_state.schema` writes `schema.v1.json`, and a test fails when that file is stale. The schema knows the
shape; what only `load` knows (canonical spellings, references, sums) it does not repeat.
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
        "description": "What one AWS VPC and its PostgreSQL database should be. What is left out is not managed.",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "name", "revision", "scope", "resources"],
        "properties": {
            "$schema": {"type": "string", "description": "For editors; not read."},
            "version": {"const": FORMAT, "description": "The version of this format."},
            "name": TypeAdapter(Name).json_schema() | {"description": "A tag's value, and part of keys."},
            "revision": TypeAdapter(Revision).json_schema()
            | {"description": "Raised by the author with every change."},
            "scope": _reference("Scope"),
            "enforcement": {
                "enum": list(get_args(Enforcement)),
                "default": "correct",
                "description": "What is done about drift; a resource may say otherwise for itself.",
            },
            "resources": {
                "type": "object",
                "additionalProperties": False,
                "description": "By kind and name; <kind>/<name> is a resource's address.",
                "properties": sections,
            },
            "intents": {"type": "array", "items": _reference("Intent")},
            "workloads": {"type": "object", "additionalProperties": _reference("Workload")},
            "exceptions": {"type": "array", "items": _reference("WrittenTolerance")},
        },
        "$defs": definitions,
    }


def written() -> str:
    """The schema as its file holds it."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


def _plain(node: Any, inside: str = "") -> Any:
    """Without null, which no document may hold, and without the titles that only repeat a field's name."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    names = inside in {"properties", "$defs"}  # here the keys are names that people chose, not words of JSON Schema
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
