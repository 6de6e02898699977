"""A message in the form of a chat: a custom notification of Amazon Q Developer in chat applications. Pure.

The form is that of the administrator guide ("Custom notifications using Amazon Q Developer in chat applications"):
version and source are fixed, the text is the chat's own markdown, and messages with one `threadId` make one thread.
So what other people wrote stands in code spans, and what Slack or Teams would act on (a mention, a link, an end of
the span) stands there in its full-width form, which every reader can read and no program obeys.
"""

from __future__ import annotations

import json
import re
from typing import Any

from reconciler.notify.deduplication import Notification
from reconciler.notify.message import NotificationOrigin, details, facts, fitted, headline, sentence, shown, steps

LONGEST_TITLE, LONGEST_DESCRIPTION, LONGEST_STEP = 250, 8_000, 1_000
"""Characters. The guide names no limit; what is published of the form keeps to 250 and 8,000."""

_ACTIVE = str.maketrans({char: chr(ord(char) + 0xFEE0) for char in "<>&@|\\"} | {"`": "'"})
_MARKUP = str.maketrans({char: chr(ord(char) + 0xFEE0) for char in "*~#[]!"})
_EDGE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_EMOJI = re.compile(r":(?=[A-Za-z0-9_+-]+:)")


def chat(notification: Notification, here: NotificationOrigin) -> str:
    """The message as JSON text."""
    alert = notification.alert
    topic = alert.topic.value if alert else notification.status.value
    custom: dict[str, Any] = {
        "version": "1.0",
        "source": "custom",
        "id": plain(f"{here.run_id}-{notification.fingerprint}"),
        "content": {
            "textType": "client-markdown",
            "title": _cut(f"Setpoint {plain(headline(notification))}", LONGEST_TITLE),
            "description": _description(notification, here),
            "nextSteps": [_code(one) for one in steps(notification, here) if len(one) < LONGEST_STEP],
            "keywords": ["setpoint", notification.severity.value, plain(here.document)],
        },
        "metadata": {
            "threadId": notification.fingerprint,
            "summary": _cut(plain(sentence(notification)), LONGEST_TITLE),
            "eventType": f"setpoint-{topic}",
            "relatedResources": [plain(alert.aws_id)] if alert and alert.aws_id else [],
            "additionalContext": {
                "severity": notification.severity.value,
                "status": notification.status.value,
                "document": plain(here.document),
                "account": plain(here.account),
                "region": plain(here.region),
                "run": plain(here.run_id),
            },
        },
    }
    if not custom["content"]["nextSteps"]:
        del custom["content"]["nextSteps"]
    return json.dumps(custom, ensure_ascii=False)


def _description(notification: Notification, here: NotificationOrigin) -> str:
    """At most LONGEST_DESCRIPTION characters; what had to be left out is counted."""
    head = [_code(shown(sentence(notification)))]
    tail = [f"{label}: {_code(value)}" for label, value in facts(notification, here)]
    tail = [line if len(line) <= LONGEST_STEP else f"{line[: LONGEST_STEP - 4]}...`" for line in tail]
    room = LONGEST_DESCRIPTION - sum(len(line) + 1 for line in (*head, *tail)) - 60
    body, left = fitted([_code(line.strip()) for line in details(notification)], room)
    if left:
        body.append(f"... and {left} more {'line' if left == 1 else 'lines'}, left out here")
    return "\n".join([*head, *body, *tail])


def _code(words: str) -> str:
    """Words that are fit to be shown, as code: no markup is obeyed in it, and nothing in it ends it."""
    return f"`{_inactive(words)}`"


def _inactive(words: str) -> str:
    return words.translate(_ACTIVE)


def plain(words: str) -> str:
    """Anybody's words outside of a code span: no mention, no markup, no link, no emoji."""
    told = _EMOJI.sub("\uff1a", _inactive(shown(words)).translate(_MARKUP))
    return _EDGE.sub("\uff3f", told)


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 3]}..."
