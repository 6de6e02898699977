"""Setpoint's modules that the functions import, and the page's templates. The artefact has neither the command line nor
the lab.
"""

from __future__ import annotations

import ast
import shutil
import tomllib
from functools import cache
from modulefinder import ModuleFinder
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("desired_state", "handlers", "reconciler")
PAGE = Path("reconciler/report/page")
"""Where the page is made."""
_ALWAYS = ("handlers.settings", "handlers.wiring")


def doors(root: Path = ROOT) -> list[str]:
    """The modules that Lambda calls: those in `handlers` with a function `handler`."""

    def is_door(file: Path) -> bool:
        body = ast.parse(file.read_text("utf-8")).body
        return any(isinstance(one, ast.FunctionDef) and one.name == "handler" for one in body)

    return [f"handlers.{file.stem}" for file in sorted((root / "handlers").glob("*.py")) if is_door(file)]


@cache
def reachable(root: Path = ROOT) -> list[Path]:
    """Setpoint's files that the functions import, also inside functions; sorted, relative to `root`."""
    finder = ModuleFinder(path=[str(root)])
    for name in (*_ALWAYS, *doors(root)):
        finder.import_hook(name)
    missing = [name for name in finder.any_missing_maybe()[0] if name.partition(".")[0] in PACKAGES]
    if missing:
        raise SystemExit(f"a function imports modules that do not exist: {', '.join(sorted(missing))}")
    found = {Path(file) for module in finder.modules.values() if (file := vars(module)["__file__"])}
    own = sorted(file.relative_to(root) for file in found if file.is_relative_to(root))
    excluded = [str(file) for file in own if file.parts[0] not in PACKAGES]
    if excluded:
        raise SystemExit(f"a function imports what is not in the artefact: {', '.join(excluded)}")
    return own


def sources(root: Path = ROOT) -> list[Path]:
    """Every file that `copy` may copy."""
    files = [file for package in PACKAGES for file in (root / package).rglob("*.py")]
    files += [file for pattern in ("*.css", "*.js", "templates/*.jinja") for file in (root / PAGE).glob(pattern)]
    return [root / "LICENSE", root / "pyproject.toml", *sorted(files)]


def copy(target: Path, root: Path = ROOT) -> None:
    """Copies the reachable code into `target`, with the metadata that names its version."""
    for file in reachable(root):
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, target / file)
    if (target / PAGE / "html.py").exists():
        _copy_page(target / PAGE, root / PAGE)
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    metadata = target / f"{project['name']}-{project['version']}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n", "utf-8")
    shutil.copyfile(root / "LICENSE", metadata.with_name("LICENSE"))


def _copy_page(target: Path, source: Path) -> None:
    """The style and the script of the page, and its templates as Python: compiling them takes longer than a page."""
    from reconciler.report.page.html import compile_templates

    for file in (*source.glob("*.css"), *source.glob("*.js")):
        shutil.copyfile(file, target / file.name)
    compile_templates(source / "templates", target / "compiled")
