"""The memory of a document between runs, and its lease, so that there is one run at a time: one DynamoDB item each.

It may import `model` only. Start with `record.py` (what is remembered), then `lease.py`; `item.py` has the format of
the item, `table.py` the calls.
"""
