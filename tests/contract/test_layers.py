"""Who may know whom: the contracts of pyproject.toml, kept."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import reconciler

ROOT = Path(__file__).parents[2]


def test_the_layers_hold() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-logo"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "0 broken." in ended.stdout


def test_the_page_starts_without_the_models_of_a_document_and_the_pure_core_without_an_aws_library() -> None:
    modules = (
        "reconciler.engine.plan, reconciler.engine.gate, reconciler.engine.diff, reconciler.kinds, desired_state.load"
    )
    script = f"""
import sys, reconciler.report.page.html
print([m for m in ('pydantic', 'desired_state.members') if m in sys.modules])
import {modules}
print([m for m in ('boto3', 'botocore', 'moto') if m in sys.modules])
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.split("\n")[:2] == ["[]", "[]"]


def test_the_walk_through_the_code_names_what_is_there() -> None:
    """CONTRIBUTING.md and the docstring of `reconciler` follow one rule through the same functions."""
    walk = (ROOT / "CONTRIBUTING.md").read_text().partition("## Follow one rule")[2].partition("\n## ")[0]
    names = re.findall(r"`((?:reconciler|handlers)\.[\w.]+)`", walk)
    assert len(names) > 12
    prose = reconciler.__doc__ or ""
    for name in names:
        found: object = None
        parts = name.split(".")
        for split in range(len(parts) - 1, 0, -1):
            try:
                found = importlib.import_module(".".join(parts[:split]))
            except ModuleNotFoundError:
                continue
            for part in parts[split:]:
                found = getattr(found, part)
            break
        assert callable(found), name
        assert parts[-1] in prose, f"{name} is not in the docstring of reconciler/__init__.py"
    for name in re.findall(r"`([A-Z]\w+)`", walk):
        assert f"`{name}`" in prose, f"{name} is not in the docstring of reconciler/__init__.py"
