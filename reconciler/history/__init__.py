"""What is kept of the runs of a document: a receipt for every change, and a day sheet for every day.

`receipts` decides (pure), `store` writes to S3 and reads from it.
"""
