"""The fleet as one HTML file that needs nothing beside it, in the form of the page of a run.

Whatever a template prints passes the same `finalize` as there. Without script: there is nothing to move.
"""

from __future__ import annotations

from reconciler.fleet.fleet import Fleet
from reconciler.fleet.view import view
from reconciler.report.page.html import rendered


def page(fleet: Fleet) -> str:
    """The page of a fleet as HTML."""
    return rendered("fleet.html.jinja", fleet=view(fleet))
