"""The page of a run as one HTML file that needs nothing beside it.

Every string that is not markup passes `inert` on its way out, whatever a template forgets; no markup is made here, or
anywhere but in the templates. Only this module imports Jinja2, so that a calm run does not.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment, FileSystemLoader, ModuleLoader, StrictUndefined
from markupsafe import Markup

from reconciler.report.page.arrows import LEFT, RIGHT, WIDTH, arrows
from reconciler.report.page.inert import inert, remember
from reconciler.report.page.past import WIDTH as STRIP
from reconciler.report.page.reading import Json
from reconciler.report.page.view import view
from reconciler.report.page.words import Whole

_HERE = Path(__file__).parent
TEMPLATES = _HERE / "templates"
COMPILED = _HERE / "compiled"
"""Only the artefact has these: byte code of the templates, made when it is assembled."""
STYLES = {"fleet.html.jinja": ("page.css", "fleet.css")}
"""The styles of a template that needs more than the page's."""
_NOT_KNOWN = "not known"


def page(receipt: object, *, history: Json | None = None, now: datetime | None = None, redact: bool = False) -> str:
    """The page of a receipt as HTML. `history` is the JSON of a `History`; `now` is what the time left is counted from,
    by default the time of the run; `redact` replaces accounts, network addresses and principals by short names.

    Raises `UnreadableReceipt` if it is none that this version can show.
    """
    shown = view(receipt, history=history, now=now, redact=redact)
    return rendered("page.html.jinja", page=shown, arrows=arrows(shown.lanes))


def rendered(template: str, **values: Any) -> str:
    """A page by its template: with our style and script, their digests, and the long texts at its end."""
    long = remember()
    style, script = _constant(*STYLES.get(template, ("page.css",))), _constant("page.js")
    policy = f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
    shared: dict[str, Json | object] = {
        "style": style,
        "script": script,
        "policy": Markup(policy + "base-uri 'none'; form-action 'none'"),  # noqa: S704 (digests and constants)
        "long": long,
        "picture": {"left": LEFT, "right": RIGHT, "width": WIDTH, "strip": STRIP},
    }
    # Surrogates are escaped already; this keeps a page encodable whatever came.
    return environment().get_template(template).render(**shared, **values)


def compile_templates(templates: Path, target: Path) -> None:
    """Writes each template of a folder as a Python module into `target`, where `environment` finds it."""
    environment(FileSystemLoader(templates)).compile_templates(target, zip=None, ignore_errors=False)


@cache
def environment(loader: BaseLoader | None = None) -> Environment:
    """Jinja2 in its strictest form, with the templates of this folder."""
    if loader is None:
        loader = ModuleLoader(str(COMPILED)) if COMPILED.is_dir() else FileSystemLoader(TEMPLATES)
    made = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["whole"] = Whole
    return made


def _finalized(value: object) -> object:
    """What a template prints: markup as it is, all else as inert text, which Jinja2 escapes."""
    if isinstance(value, str):
        return value if isinstance(value, Markup) else inert(value)
    if value is None:
        return _NOT_KNOWN
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return inert(str(value))


@cache
def _constant(*names: str) -> Markup:
    """Our own style or script: a constant, which nothing is put into. It has no string in which white space counts but
    before its closing quote, and no statement that is empty.
    """
    text = re.sub(r"\s+", " ", " ".join((_HERE / name).read_text("utf-8") for name in names))
    short = re.sub(r" ?([{};,]) |(?<=:) (?!\")", r"\1", text).replace(";}", "}").strip()
    return Markup(short)  # noqa: S704 (a file of this package)


def _digest(content: Markup) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
