"""What is known of a resource besides its values: its id and console page, who changed it, since when. Pure."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.report.page.console import event_link, link
from reconciler.report.page.reading import Json, in_words, kind_of, listed, mapping, name_of, text
from reconciler.report.page.words import Foreign, duration, moment


class Resource(NamedTuple):
    """A resource by its address. `id` is AWS's, `url` its page in the console; None where not known."""

    address: str
    id: str | None = None
    url: str | None = None

    @property
    def kind(self) -> str:
        return kind_of(self.address)

    @property
    def kind_in_words(self) -> str:
        return in_words(self.kind)

    @property
    def name(self) -> str:
        return name_of(self.address)


class Actor(NamedTuple):
    """Who made a change, by CloudTrail."""

    who: str
    call: str | None
    at: str | None
    source_ip: str | None
    user_agent: Foreign | None
    event_id: str | None
    url: str | None


class Past(NamedTuple):
    """The history of what differs at a resource; None where it is not known."""

    actor: Actor | None
    since: str | None
    exposed: str | None
    exposed_unknown: bool

    @property
    def told(self) -> bool:
        """Whether anything of it is known, or known to be unknown."""
        return bool(self.actor or self.since or self.exposed or self.exposed_unknown)


class Resources:
    """What a receipt knows of its resources."""

    def __init__(self, receipt: Json) -> None:
        self._receipt = receipt
        self._region = text(receipt, "region")
        self._ids = mapping(receipt, "ids")
        self._found = mapping(receipt, "found_by")
        self._named = {
            str(one["address"]): one["id"]
            for name in ("unmanaged", "findings", "pending", "actions", "drifted")
            for one in listed(receipt, name)
            if one.get("id") and one.get("address")
        }
        self._first: dict[str, str] = {}
        for one in listed(receipt, "drifted"):
            if since := text(one, "since"):
                address = str(one.get("address"))
                self._first[address] = min(since, self._first.get(address, since))
        self._at: dict[str, Resource] = {}
        self._unknown = set(map(str, listed(receipt, "exposed_unknown")))

    def at(self, address: str) -> Resource:
        """The resource at an address."""
        if known := self._at.get(address):
            return known
        found = self._ids.get(address) or self._named.get(address) or mapping(self._found, address).get("id")
        return self._at.setdefault(address, self.known(address, str(found) if found else None))

    def known(self, address: str, resource_id: str | None) -> Resource:
        """A resource whose id is known from elsewhere."""
        return Resource(address, resource_id, link(kind_of(address), resource_id, self._region))

    def past(self, address: str) -> Past:
        """Who changed it, since when it differs, and how long it stood open at most."""
        exposed = mapping(self._receipt, "exposed").get(address)
        return Past(
            self._actor(mapping(mapping(self._receipt, "actors"), address)),
            moment(self._since(address)),
            duration(exposed) if isinstance(exposed, int | float) else None,
            address in self._unknown and not text(self._receipt, "since_unknown"),
        )

    def _since(self, address: str) -> str | None:
        """The earliest time, by the address or by one of its differences."""
        return text(mapping(self._receipt, "since"), address) or self._first.get(address)

    def _actor(self, given: Json) -> Actor | None:
        if not given:
            return None
        agent, event = text(given, "user_agent"), text(given, "event_id")
        return Actor(
            who=text(given, "who") or "not known",
            call=text(given, "call"),
            at=moment(text(given, "at"), seconds=True),
            source_ip=text(given, "source_ip"),
            user_agent=Foreign(agent) if agent else None,
            event_id=event,
            url=event_link(event, self._region),
        )
