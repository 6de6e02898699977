"""Who may know whom: the contracts of pyproject.toml, kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_layers_hold() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-logo"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "0 broken." in ended.stdout


def test_the_pure_core_starts_without_an_aws_library() -> None:
    modules = (
        "reconciler.engine.plan, reconciler.engine.gate, reconciler.engine.diff, reconciler.kinds, desired_state.load"
    )
    script = f"import sys, {modules}; print([m for m in ('boto3', 'botocore', 'moto') if m in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
