"""Makes untrusted text (names, tags, descriptions, AWS's messages) safe to show. `redact.py` hides secrets."""

LONGEST = 500
"""Characters of one text."""


def sanitize(text: str, longest: int = LONGEST) -> str:
    """The text on one line, at most `longest` characters long, with every unprintable character escaped, so that no
    terminal or log viewer acts on it.
    """
    if not text.isprintable():
        text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return text if len(text) <= longest else f"{text[:longest]}..."
