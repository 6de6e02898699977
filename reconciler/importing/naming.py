"""What live resources are called in a document. Pure; no name depends on the order of AWS's answers.

A name that AWS knows a resource by stays. Otherwise it is called by its Name tag, or by what it is for. All that would
have one name get what tells them apart: their zone, else their network, else the end of their ids.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from desired_state.fields import Address
from desired_state.resource import SECTIONS
from reconciler.importing.network import Live
from reconciler.model import DOCUMENT_TAG, NAME_TAG
from reconciler.model.imported import Surroundings

_REFUSED = re.compile(r"[^A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]+")
"""What a name cannot have."""
_LONGEST = 200
"""Characters of a name made from a tag, so that there is room for what tells it apart."""
_TAIL = 4
"""Characters of an id that tell one from another, unless these are the same too."""
_DOCUMENT_NAME = re.compile(r"[^a-z0-9]+")


def sayable(text: str) -> str:
    """A text as a name: letters lose their accents, other signs that a name cannot have become `-`. It may be empty."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return _REFUSED.sub("-", plain)[:_LONGEST].strip(" -") if _REFUSED.search(plain) else plain[:_LONGEST].strip()


def document_name(text: str) -> str:
    """A text as the name of a document; empty if nothing of it can be one."""
    return _DOCUMENT_NAME.sub("-", sayable(text).lower()).strip("-")[:63].strip("-")


def natural(text: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """The key of the natural order: `web-2` before `web-10`."""
    parts = re.split(r"([0-9]+)", text.casefold())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts), text


def names_of(
    lives: Iterable[Live], around: Surroundings, document: str, taken: Collection[Address] = ()
) -> dict[Address, Address]:
    """The address of each live resource by its key. `taken` are addresses that no other may have."""
    by_kind: dict[str, list[Live]] = defaultdict(list)
    for one in lives:
        by_kind[one.kind.name].append(one)
    found: dict[Address, Address] = {}
    for kind, some in by_kind.items():
        used = {at.name for at in taken if at.kind == kind}
        named = _named(some, around, document, used)
        found |= {Address.of(kind, aws_id): Address.of(kind, name) for aws_id, name in named.items()}
    return found


@dataclass
class _Namesakes:
    """The live resources of one kind that would be called `name`. `step` says by which word they are told apart now: by
    none, by each of `apart` in turn, then by ever longer ends of their ids.
    """

    name: str
    lives: list[Live]
    apart: Mapping[str, tuple[str, ...]]
    fixed: bool = False
    step: int = 0
    _words: int = field(init=False)

    def __post_init__(self) -> None:
        self._words = max(len(words) for words in self.apart.values())
        while not self._is_told_apart():
            self.step += 1

    def names(self) -> dict[str, str]:
        """The name of each by its id."""
        return {one.id: self._name(one) for one in self.lives}

    @property
    def over(self) -> bool:
        """Whether no further word can tell them apart: they are called by their ids."""
        return self.fixed or self._tail >= max(len(one.id) for one in self.lives)

    @property
    def derived(self) -> bool:
        return self.step > 0

    def advance(self) -> None:
        self.step += 1
        while not self._is_told_apart():
            self.step += 1

    @property
    def _tail(self) -> int:
        return _TAIL * (self.step - self._words)

    def _is_told_apart(self) -> bool:
        if self.fixed or (self.step == 0 and len(self.lives) == 1):
            return True
        words = [self._word(one) for one in self.lives]
        return all(words) and len(set(words)) == len(words)

    def _word(self, live: Live) -> str:
        if self.step == 0:
            return ""
        if self.step <= self._words:
            return self.apart[live.id][self.step - 1]
        return live.id[-self._tail :]

    def _name(self, live: Live) -> str:
        if not self.fixed and self._tail >= len(live.id):
            return live.id
        word = "" if self.fixed else self._word(live)
        return f"{self.name}-{word}" if word else self.name


def _named(lives: list[Live], around: Surroundings, document: str, taken: Collection[str]) -> dict[str, str]:
    """The name of each live resource of one kind by its id."""
    groups: dict[str, list[Live]] = defaultdict(list)
    fixed = []
    for one in lives:
        if one.kind.imported.name(one.item):
            fixed.append(_Namesakes(one.kind.imported.name(one.item), [one], {one.id: ()}, fixed=True))
        else:
            groups[_name(one, around, document)].append(one)
    sets = [*fixed, *(_Namesakes(name, same, _apart(same, around)) for name, same in groups.items())]
    while clashing := _clashing(sets, taken):
        for some in clashing:
            some.advance()
    return {aws_id: name for some in sets for aws_id, name in some.names().items()}


def _clashing(sets: list[_Namesakes], taken: Collection[str]) -> list[_Namesakes]:
    """Those that need another word, because one of their names is somebody else's: a name that a person gave stays if
    the other one is made.
    """
    users: dict[str, list[_Namesakes]] = defaultdict(list)
    for some in sets:
        for name in some.names().values():
            users[name].append(some)
    found: dict[int, _Namesakes] = {}
    for name, several in users.items():
        if len(several) == 1 and name not in taken:
            continue
        open_ = [some for some in several if not some.over]
        made = [some for some in open_ if some.derived]
        found |= {id(some): some for some in (made or open_)}
    return list(found.values())


def _name(live: Live, around: Surroundings, document: str) -> str:
    """What a resource would be called if no other were called so."""
    kind, tags = live.kind, live.tags
    ours = tags.get(NAME_TAG, "") if tags.get(DOCUMENT_TAG) == document else ""
    for text in (ours, sayable(live.people_name), kind.imported.unnamed(live.item, around, document)):
        if text and not SECTIONS[kind.name].name_problem(text):
            return text
    return sayable(live.id)


def _apart(lives: Iterable[Live], around: Surroundings) -> dict[str, tuple[str, ...]]:
    """What tells each from the others, the same number of words for each."""
    found = {one.id: [sayable(word) for word in one.kind.imported.apart(one.item, around)] for one in lives}
    most = max(len(words) for words in found.values())
    return {one: (*words, *[""] * (most - len(words))) for one, words in found.items()}
