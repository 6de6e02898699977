"""A receipt as a page, in the form that was asked for; what makes the other form is not imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from reconciler.report.page.limits import MOST_CHARACTERS

type Form = Literal["html", "markdown"]


def written(
    receipt: Mapping[str, Any],
    form: Form,
    *,
    history: Mapping[str, Any] | None = None,
    redact: bool = False,
    max_chars: int = MOST_CHARACTERS,
) -> str:
    """The page as text; `history` is what is known of the last days, `max_chars` counts for Markdown alone."""
    if form == "html":
        from reconciler.report.page.html import page

        return page(receipt, history=history, redact=redact)
    from reconciler.report.page.markdown import markdown

    return markdown(receipt, history=history, redact=redact, max_chars=max_chars)
