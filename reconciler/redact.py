"""Redacts what looks like a secret in untrusted text, for logs, metrics and notifications. Pure.

This tool reads no secrets and stores none. But an exception may contain a presigned URL, CloudTrail a request, and a
person may have pasted a password into a description or a tag. What is recognisable is replaced by `[redacted]`: keys
and tokens of known formats, the credentials of a URL, and the value after a name such as `password=`.

Not recognised are: a secret without a known format or a name before it (`hunter2` alone), the further words of an
unquoted passphrase (`password: correct horse` keeps `horse`), a plain word after `token:`, a name that is not English,
and a secret that was split, encoded or encrypted. In doubt, text is redacted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from desired_state.sanitize import sanitize

REDACTED = "[redacted]"
LOOKED_AT = 20_000
"""Characters of a text that are searched; the rest is cut off. `sanitize` shortens what is shown much further."""

_I = re.IGNORECASE
# After these names any word is a secret.
_OF_ANY_WORD = r"pass(?:word|wd|phrase|code)|pwd|secret(?!smanager)"
# After these a plain word is not: AWS's error codes end in them (`ExpiredToken: The security token ...`).
_OF_NO_PLAIN_WORD = (
    r"token|credentials?|signature|cookie|(?:api|access|account|auth|encryption|private|shared|signing)[-_ ]?key"
)
_PLAIN_WORD = r"(?![a-z]+[,.;:]?(?:\s|$)|[A-Z][a-z]+[,.;:]?(?:\s|$))"
# The rest of the name, its closing quote, and `=`, `:` or `=>`. In JSON within JSON, quotes have backslashes.
_SAYS = r"""[\w.-]{0,40}\\{0,15}["']?\s{0,3}(?::|=>?)\s{0,3}"""
_UNLESS_EMPTY = r"""(?!["']?(?:true|false|null|none|yes|no|on|off|unknown)\b)"""


def _named(names: str, word: str, unless: str = "") -> re.Pattern[str]:
    """A name and the value after it; in a change, `old -> new`, the new value too."""

    def value(quote: str) -> str:
        # In quotes, up to the same quote with the same number of backslashes before it.
        quoted = rf"""(?P<{quote}>\\{{0,15}}["'])(?:(?!(?<!\\)(?P={quote})).){{0,2000}}(?:(?P={quote}))?"""
        return rf"(?-i:\[redacted\]|{quoted}|{unless}{word})"

    new = rf"(?P<new>\s->\s{value('q2')})?"
    return re.compile(rf"(?P<name>(?:{names}){_SAYS}){_UNLESS_EMPTY}{value('q1')}{new}", _I | re.DOTALL)


_NAMED = (
    _named(_OF_ANY_WORD, r"""[^\s"']{1,2000}"""),
    _named(_OF_NO_PLAIN_WORD, r"""[^\s"'&;,]{1,2000}""", _PLAIN_WORD),
)
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:(?!-----).){0,20000}(?:-----END [A-Z0-9 ]{0,40}-----)?",
            re.DOTALL,
        ),
        REDACTED,
    ),
    (re.compile(r"""://[^\s'"<>@/:]{0,200}:[^\s'"<>]{1,300}@"""), f"://{REDACTED}@"),
    (
        re.compile(r"(arn:aws[a-z-]{0,20}:secretsmanager:[a-z0-9-]{0,30}:\d{0,12}:secret:)[\w/+=.@!-]{1,600}"),
        rf"\1{REDACTED}",
    ),
    # The whole header, because its value has several words.
    (
        re.compile(r"""(authorization\\?["']?\s{0,3}[:=]\s{0,3}\\?["']?)[^\r\n"']{1,2000}""", _I),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"\b(Bearer|Basic) {1,3}(?=[^\s]{0,80}[0-9A-Z+/=])[\w.~+/=-]{8,2000}", _I), rf"\1 {REDACTED}"),
    (re.compile(r"(hooks\.slack\.com/)[\w/-]{1,200}", _I), rf"\1{REDACTED}"),
    # Access key ids (IAM user guide, Understanding unique ID prefixes) and the tokens of common services.
    (re.compile(r"(?<![A-Za-z0-9])A(?:KIA|SIA)[A-Z0-9]{12,128}"), REDACTED),
    (re.compile(r"\bgh[opsur]_[A-Za-z0-9]{16,255}|\bgithub_pat_\w{16,255}|\bglpat-[\w-]{16,255}"), REDACTED),
    (
        re.compile(r"\bxox[a-z]-[\w-]{8,255}|\b[rs]k_(?:live|test)_\w{8,255}|\bAIza[\w-]{30,60}|\bnpm_\w{20,255}"),
        REDACTED,
    ),
    (re.compile(r"\beyJ[\w-]{5,2000}\.[\w-]{2,4000}(?:\.[\w-]{0,2000})?"), REDACTED),
    # An AWS secret access key: 40 characters of base64, but not a hexadecimal digest.
    (
        re.compile(
            r"(?<![\w/+=.:-])(?=[^\s]{0,39}[a-z])(?=[^\s]{0,39}[A-Z])(?=[^\s]{0,39}[0-9])[A-Za-z0-9/+]{40}(?![\w/+=-])"
        ),
        REDACTED,
    ),
    # A session token, or any other long run of base64.
    (re.compile(r"[A-Za-z0-9+/=_-]{100,}"), REDACTED),
)
_SECRET_NAME = re.compile(rf"{_OF_ANY_WORD}|{_OF_NO_PLAIN_WORD}|authorization", _I)


def redacted(text: str) -> str:
    """The text with everything that looks like a secret replaced, cut at LOOKED_AT and otherwise unchanged."""
    if len(text) > LOOKED_AT:
        whole, _, _ = text[:LOOKED_AT].rpartition(" ")  # half of a secret would not be recognised
        text = f"{whole} ..."
    return _replaced(text) if len(text) > _SHORT else _short(text)


def _replaced(text: str) -> str:
    for shape, replacement in _SHAPES:
        text = shape.sub(replacement, text)
    for name in _NAMED:
        text = name.sub(lambda found: f"{found['name']}{REDACTED}{f' -> {REDACTED}' if found['new'] else ''}", text)
    return text


# A run asks for the same names and titles again and again, in its report, its receipt, its alerts and its lines.
_SHORT = 200
_short = lru_cache(maxsize=2_000)(_replaced)


def safe_text(text: str) -> str:
    """Untrusted text made safe to show: `redacted` and `sanitize`d."""
    return sanitize(redacted(text))


def is_secret_name(name: object) -> bool:
    """Whether the value of this key of a mapping, or of this tag, is treated as a secret."""
    return isinstance(name, str) and bool(_SECRET_NAME.search(name))


def fit(value: Any, most: int, depth: int = 6, text: Callable[[str], str] = safe_text) -> Any:
    """A value that is safe to show and that JSON can represent: strings as `text` returns them, at most `most` members
    of each list and mapping and how many more there are, nothing deeper than `depth`.
    """
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if value - value == 0 else str(value)  # JSON has no NaN and no infinity
        case str():
            return text(value)
        case _ if depth == 0:
            return "..."
        case Mapping():
            return _mapping(value, most, depth, text)
        case list() | tuple() | set() | frozenset():
            listed = sorted(map(str, value)) if isinstance(value, (set, frozenset)) else list(value)
            first = [fit(inner, most, depth - 1, text) for inner in listed[:most]]
            return [*first, f"{len(listed) - most} more"] if len(listed) > most else first
        case _:
            return text(str(value))


def _mapping(value: Mapping[Any, Any], most: int, depth: int, text: Callable[[str], str]) -> dict[str, Any]:
    tag_of_secret = is_secret_name(value.get("Key"))  # {"Key": "Password", "Value": ...} is how AWS writes a tag
    fitted: dict[str, Any] = {}
    for key, inner in list(value.items())[:most]:
        secret = is_secret_name(key) or (tag_of_secret and key == "Value")
        hidden = secret and inner is not None and not isinstance(inner, (bool, int, float))
        fitted[text(str(key))] = REDACTED if hidden else fit(inner, most, depth - 1, text)
    if len(value) > most:
        fitted["..."] = f"{len(value) - most} more"
    return fitted
