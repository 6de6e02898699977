"""Buckets and tables of the emulator, emptied without a call for each thing that lies in them."""

from __future__ import annotations

from typing import Any

from moto.backends import get_backend


def empty_bucket(account: str, name: str) -> None:
    """Every version of every object is gone, and every delete marker."""
    objects: Any = get_backend("s3")[account]["aws"].buckets[name].keys
    for versions in dict.values(objects):
        for one in versions:
            if hasattr(one, "dispose"):  # a delete marker has no file to close
                one.dispose()
    dict.clear(objects)


def empty_table(account: str, region: str, name: str) -> None:
    """Every item is gone."""
    items: Any = get_backend("dynamodb")[account][region].tables[name].items
    items.clear()
