"""An interpreter that sees the artefact and nothing else of this project."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_in(artefact: Path, code: str) -> str:
    """What `code` prints in an interpreter that sees the artefact and Python's library only."""
    environment = {"PYTHONPATH": str(artefact), "AWS_REGION": "eu-west-1", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-S", "-W", "error", "-c", code]
    ended = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
