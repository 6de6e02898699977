"""Calls to AWS, what its errors mean, and how EC2 and RDS spell things. It may import the vocabulary only.

Start with `client.py`, the only user of botocore in a run; `errors.py` is the table of error codes, `ec2.py` and `rds.py`
turn AWS's spelling into the model's and back, and are pure.
"""
