"""Where the bytes of a document come from. The command line reads files; whoever reads, `load` judges.

A source gives bytes or raises DocumentError: what is wrong, where, and what to do.
"""

from __future__ import annotations

from pathlib import Path

from desired_state.load import DocumentError, Problem, inert
from desired_state.strict_json import MAX_BYTES


def read_file(path: Path | str) -> bytes:
    """The bytes of a file, at most one more than a document may have, so that `load` can refuse what is too long.

    Raises DocumentError where there is no file to read.
    """
    where = Path(path)
    try:
        with where.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        problem, mend = "there is no such file", "check the path"
    except IsADirectoryError:
        problem, mend = "this is a directory", "name one document in it"
    except PermissionError:
        problem, mend = "the file may not be read", "give yourself permission to read it"
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have, such as one with a NUL
        reason = error.strerror if isinstance(error, OSError) else None
        problem, mend = f"the file cannot be read: {reason or error}", "check the path"
    raise DocumentError([Problem(inert(str(path)), 1, 1, "", inert(problem), mend)])
