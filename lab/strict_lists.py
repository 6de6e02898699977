"""Managed prefix lists as in AWS. Called by strict_aws.

Facts encoded (EC2 API reference, CreateManagedPrefixList, ModifyManagedPrefixList, ManagedPrefixList; VPC User Guide,
"Managed prefix lists"): a change passes through a state `...-in-progress`, and meanwhile another one is IncorrectState;
entries need the current version, and never go with a new maximum; entries are kept canonical, and no more than the
maximum; a larger maximum that a group or a table with the list has no room for ends in `modify-failed`, and the old one
stays; AWS's own lists are not changed. Deleting a list in use is refused, whose code is not documented; here
DependencyViolation. Restoring a version, and who uses a list, are refused here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from lab import arrivals, canonical
from lab.group_rules import key_of
from lab.live import Answer, Live, Params, needs_known
from lab.refusal import Refusal

MOST_USES = {"security group": 60, "route table": 500}
"""What a list may count in each, if nothing else is in it."""


def create(live: Live, params: Params) -> Answer:
    earlier = live.same_request("CreateManagedPrefixList", params)
    if earlier is not None:
        return earlier
    if params["PrefixListName"].startswith("com.amazonaws"):
        raise Refusal("InvalidParameterValue", "The name of a prefix list cannot start with com.amazonaws")
    entries = _entries(params.get("Entries") or [], params["AddressFamily"])
    _check_size(entries, params["MaxEntries"])
    plain = {name: value for name, value in params.items() if name not in ("ClientToken", "Entries")}
    answer = live.moto("ec2", "CreateManagedPrefixList", {**plain, **({"Entries": entries} if entries else {})})
    held = live.ec2.managed_prefix_lists[answer["PrefixList"]["PrefixListId"]]
    arrivals.begin(live, held, "create-in-progress", "create-complete")
    answer["PrefixList"]["State"] = "create-in-progress"
    live.remember_request("CreateManagedPrefixList", params, answer)
    return answer


def _entries(given: Iterable[Params], family: str) -> list[Params]:
    spell = canonical.cidr6 if family == "IPv6" else canonical.cidr4
    entries = [{**each, "Cidr": spell(each["Cidr"])} for each in given]
    if len({each["Cidr"] for each in entries}) < len(entries):
        raise Refusal("InvalidParameterValue", "The same CIDR must not appear multiple times")
    return entries


def _check_size(entries: list[Params], most: int) -> None:
    if len(entries) > most:
        raise Refusal("PrefixListMaxEntriesExceeded", f"The prefix list has at most {most} entries")


def _list(live: Live, list_id: str) -> Any:
    held = live.ec2.managed_prefix_lists.get(list_id)
    if held is None:
        raise Refusal("InvalidPrefixListID.NotFound", f"The prefix list ID '{list_id}' does not exist")
    return held


def _own(live: Live, list_id: str) -> Any:
    held = _list(live, list_id)
    if held.owner_id != live.account:
        raise Refusal("UnauthorizedOperation", f"{list_id} is not a prefix list of this account")
    if held.state.endswith("-in-progress"):
        raise Refusal("IncorrectState", f"The prefix list {list_id} is in the state {held.state}")
    return held


def modify(live: Live, params: Params) -> Answer:
    held = _own(live, params["PrefixListId"])
    added, removed, most = params.get("AddEntries"), params.get("RemoveEntries"), params.get("MaxEntries")
    if (added or removed) and most:
        message = "You cannot modify the entries and the maximum entries for the prefix list in the same request."
        raise Refusal("InvalidParameterCombination", message)
    if not (added or removed or most or params.get("PrefixListName")):
        raise Refusal("InvalidRequest", "The request changes nothing")
    if params.get("PrefixListName"):
        held.prefix_list_name = params["PrefixListName"]
    final = "modify-complete"
    if added or removed:
        _change(held, params)
    elif most:
        _check_size(held.entries.get(held.version) or [], most)
        if most > int(held.max_entries) and _has_no_room(live, held, most):
            final = "modify-failed"
        else:
            held.max_entries = most
    arrivals.begin(live, held, "modify-in-progress", final)
    return {"PrefixList": {**_shown(live, held), "State": "modify-in-progress"}}


def _change(held: Any, params: Params) -> None:
    if params.get("CurrentVersion") != held.version:
        raise Refusal("PrefixListVersionMismatch", "The prefix list has the incorrect version number.")
    added = _entries(params.get("AddEntries") or [], held.address_family)
    removed = {each["Cidr"] for each in _entries(params.get("RemoveEntries") or [], held.address_family)}
    if removed & {each["Cidr"] for each in added}:
        raise Refusal("InvalidParameterValue", "The same CIDR cannot be added and removed")
    before = held.entries.get(held.version) or []
    known = {each["Cidr"] for each in before}
    for each in added:
        if each["Cidr"] in known:
            raise Refusal("InvalidPrefixListModification", f"An entry with the CIDR ({each['Cidr']}) already exists.")
    if removed - known:
        raise Refusal("InvalidPrefixListModification", f"There is no entry with the CIDR ({min(removed - known)}).")
    after = [*(each for each in before if each["Cidr"] not in removed), *added]
    _check_size(after, int(held.max_entries))
    held.version += 1
    held.entries[held.version] = after


def _has_no_room(live: Live, held: Any, most: int) -> bool:
    """Whether something that names the list cannot hold a larger one."""
    grows = most - int(held.max_entries)
    for group in live.groups():
        for rules in (group.ingress_rules, group.egress_rules):
            keys = [key_of(each) for each in rules]
            uses = sum(key.source == held.id for key in keys)
            others = len(keys) - uses
            if uses and others + uses * (int(held.max_entries) + grows) > MOST_USES["security group"]:
                return True
    tables = live.ec2.route_tables.values()
    named = any(route.destination_prefix_list_id == held.id for table in tables for route in table.routes)
    return named and most > MOST_USES["route table"]


def _users(live: Live, list_id: str) -> bool:
    rules = (rule for group in live.groups() for rule in (*group.ingress_rules, *group.egress_rules))
    routes = (route for table in live.ec2.route_tables.values() for route in table.routes)
    return any(key_of(rule).source == list_id for rule in rules) or any(
        route.destination_prefix_list_id == list_id for route in routes
    )


def delete(live: Live, params: Params) -> Answer:
    held = _own(live, params["PrefixListId"])
    if _users(live, held.id):
        raise Refusal("DependencyViolation", f"The prefix list {held.id} is used and cannot be deleted")
    shown = {**_shown(live, held), "State": "delete-in-progress"}
    del live.ec2.managed_prefix_lists[held.id]
    live.ec2.tags.pop(held.id, None)
    return {"PrefixList": shown}


def describe(live: Live, params: Params) -> Answer:
    ids = params.get("PrefixListIds") or []
    needs_known(ids, live.ec2.managed_prefix_lists, "InvalidPrefixListID.NotFound", "prefix list ID")
    return live.moto("ec2", "DescribeManagedPrefixLists", params)


def _shown(live: Live, held: Any) -> Answer:
    shown: Answer = live.moto("ec2", "DescribeManagedPrefixLists", {"PrefixListIds": [held.id]})["PrefixLists"][0]
    return shown


def entries(live: Live, params: Params) -> Answer:
    _list(live, params["PrefixListId"])
    return live.moto("ec2", "GetManagedPrefixListEntries", params)


OPERATIONS: dict[str, Callable[[Live, Params], Answer]] = {
    "CreateManagedPrefixList": create,
    "ModifyManagedPrefixList": modify,
    "DeleteManagedPrefixList": delete,
    "DescribeManagedPrefixLists": describe,
    "GetManagedPrefixListEntries": entries,
}
