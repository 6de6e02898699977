"""Text from anywhere made safe to show. Every message, log line and alert goes through `sanitize`.

Names, tags, descriptions and AWS's own messages are text that somebody else chose: what a terminal or a log viewer
would act on is escaped, and nothing spans two lines. Secrets are the business of `reconciler/redact.py`.
"""

LONGEST = 500
"""Characters of one text that a person is shown."""


def sanitize(text: str) -> str:
    """The text on one line, at most LONGEST characters long, with every unprintable character escaped."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
