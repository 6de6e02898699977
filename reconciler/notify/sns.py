"""What SNS takes as a message, and which errors of it are about the message itself (SNS API reference, Publish)."""

from __future__ import annotations

import re
from typing import NamedTuple

LONGEST = 250_000
"""Bytes of UTF-8: SNS accepts 262,144, and counts the attributes among them."""
SHORT = 40_000
"""Bytes that the lines of a plain message are cut to."""
_SUBJECT = re.compile(r"[!-~][ -~]{0,98}")
"""Printable ASCII, fewer than 100 characters, none of them a line break."""
_ABOUT_THE_MESSAGE = frozenset(
    {"InvalidParameter", "InvalidParameterException", "InvalidParameterValue", "ParameterValueInvalid"}
    | {"ValidationError", "ValidationException", "OptedOut"}
)


class Words(NamedTuple):
    """A message as SNS takes it."""

    subject: str
    message: str
    attributes: dict[str, str]


class UnfitError(Exception):
    """SNS would refuse these words, whoever sends them."""


def fitting(words: Words, otherwise: str) -> Words:
    """The words, if SNS takes them, with `otherwise` as the subject if it does not take theirs. Raises UnfitError."""
    length = len(words.message.encode())
    if not 0 < length <= LONGEST:
        raise UnfitError(f"its text has {length} bytes")
    attributes = {name: value or "unknown" for name, value in words.attributes.items()}
    return Words(words.subject if _SUBJECT.fullmatch(words.subject) else otherwise, words.message, attributes)


def short(lines: list[str]) -> list[str]:
    """Lines of which a message is certain to fit; by itself, for what could not be written otherwise."""
    room = max(1, SHORT // 4 // max(1, len(lines)))
    return [line.encode("utf-8", "replace").decode()[:room] for line in lines]


def is_about_the_message(code: str) -> bool:
    """Whether an error code of SNS means that it would take another message."""
    return code in _ABOUT_THE_MESSAGE
