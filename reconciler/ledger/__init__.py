"""What is remembered of a document between runs, and the lease that lets one run go at a time: one DynamoDB item each.

It may import the vocabulary only. Start with `record.py` (what is remembered), then `lease.py`; `item.py` is the form of
the item, `table.py` the calls.
"""
