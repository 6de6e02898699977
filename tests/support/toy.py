"""A ninth kind, as anybody would add one: a model, and one `Kind` that says how AWS has it. Here: prefix lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, cast

from desired_state.fields import Address
from desired_state.resource import Resource
from reconciler.aws.ec2 import CREATE_TAGS, name_tag, retag, tagged_as, tags_of
from reconciler.model import Action, Change, Finding, Observed, Operation, Phase, Ref, Risk
from reconciler.model.kind import Answers, Item, Kind, ObserveContext, PlanContext, ReadContext, read


class Toy(Resource):
    kind: ClassVar[str] = "toy"
    required: ClassVar[frozenset[str]] = frozenset({"max_entries"})

    max_entries: int | None = None


CREATE = Operation("ec2", "CreateManagedPrefixList", Phase.CREATE, Risk.REVERSIBLE, yields="PrefixList.PrefixListId")
LISTS = read("ec2", "DescribeManagedPrefixLists", "PrefixLists", page=100)


def live(context: ReadContext, answers: Answers) -> Iterable[Item]:
    return [item for item in answers[LISTS] if item["OwnerId"] == context.document.scope.account_id]


def observed(item: Item, seen: ObserveContext) -> Observed:
    return Observed(item["PrefixListId"], Toy(max_entries=item["MaxEntries"], tags=tags_of(item)))


def create(address: Address, want: Resource, context: PlanContext) -> Iterable[Action | Finding]:
    yield CREATE.on(
        address,
        "make the list",
        gives=Ref(address),
        params={
            "PrefixListName": address.name,
            "AddressFamily": "IPv4",
            "MaxEntries": cast("Toy", want).max_entries,
            "TagSpecifications": tagged_as("prefix-list", want.tags),
        },
    )


def plan(change: Change, context: PlanContext) -> Iterator[Action | Finding]:
    yield from retag(change)


KIND = Kind(
    "toy",
    Toy,
    after=frozenset({"vpc"}),
    immutable=frozenset({"max_entries"}),
    operations=(CREATE, CREATE_TAGS),
    reads=lambda context: [LISTS],
    live=live,
    id=lambda item: str(item["PrefixListId"]),
    label=name_tag,
    tags=tags_of,
    matches=lambda address, resource, item, context: item["PrefixListName"] == address.name,
    observed=observed,
    initial_state=lambda want, context: want,
    create=create,
    plan=plan,
)
