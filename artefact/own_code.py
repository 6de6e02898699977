"""Which of our modules the functions can reach. They are the artefact; the terminal's and the lab's are not in it."""

from __future__ import annotations

import ast
import shutil
import tomllib
from modulefinder import ModuleFinder
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("desired_state", "handlers", "reconciler")
_ALWAYS = ("handlers.settings", "handlers.wiring")


def doors(root: Path = ROOT) -> list[str]:
    """The modules that Lambda calls: those of `handlers` with a function `handler`."""

    def is_door(file: Path) -> bool:
        body = ast.parse(file.read_text("utf-8")).body
        return any(isinstance(one, ast.FunctionDef) and one.name == "handler" for one in body)

    return [f"handlers.{file.stem}" for file in sorted((root / "handlers").glob("*.py")) if is_door(file)]


def reachable(root: Path = ROOT) -> list[Path]:
    """Our files that the doors import, wherever in a function the import stands; in order, relative to `root`."""
    finder = ModuleFinder(path=[str(root)])
    for name in (*_ALWAYS, *doors(root)):
        finder.import_hook(name)
    missing = [name for name in finder.any_missing_maybe()[0] if name.partition(".")[0] in PACKAGES]
    if missing:
        raise SystemExit(f"a function imports what is not there: {', '.join(sorted(missing))}")
    found = {Path(file) for module in finder.modules.values() if (file := vars(module)["__file__"])}
    ours = sorted(file.relative_to(root) for file in found if file.is_relative_to(root))
    strangers = [str(file) for file in ours if file.parts[0] not in PACKAGES]
    if strangers:
        raise SystemExit(f"a function imports what is not in the artefact: {', '.join(strangers)}")
    return ours


def sources(root: Path = ROOT) -> list[Path]:
    """Everything that `copy` may copy from."""
    files = [file for package in PACKAGES for file in (root / package).rglob("*.py")]
    return [root / "LICENSE", root / "pyproject.toml", *sorted(files)]


def copy(target: Path, root: Path = ROOT) -> None:
    """Our reachable code into `target`, with the metadata that says which version it is."""
    for file in reachable(root):
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, target / file)
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    metadata = target / f"{project['name']}-{project['version']}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n", "utf-8")
    shutil.copyfile(root / "LICENSE", metadata.with_name("LICENSE"))
