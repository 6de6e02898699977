"""Calls to AWS, the meaning of its errors, and the forms of EC2 and RDS. It may import the vocabulary only.

Start with `client.py`, the only user of botocore in a run. `errors.py` is the table of error codes; `ec2.py` and
`rds.py` convert between AWS's forms and the model's, and are pure.
"""
