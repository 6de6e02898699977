"""The published schemas of the report and of the receipt, and the same without room for what they do not name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

import reconciler.report

_FOLDER = Path(reconciler.report.__file__).parent
REPORT, RECEIPT = (json.loads((_FOLDER / f"{one}.v1.schema.json").read_text()) for one in ("report", "receipt"))


def strict(schema: Any) -> Any:
    """A schema that also refuses members which it does not name; readers of the published one let them be."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(one) for name, one in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        closed.setdefault("additionalProperties", False)
    return closed


IS_REPORT, IS_RECEIPT = (Draft202012Validator(strict(one), format_checker=FormatChecker()) for one in (REPORT, RECEIPT))
