"""Builds the Lambda artefact: Setpoint's code, its locked dependencies, and botocore's data for the operations in use.

`make artefact` and SAM (`build-<function>` in the Makefile) run `python -m artefact`; the tests and `make bench` call
`assemble.py`. The product does not import this package, and the artefact does not contain it.
"""
