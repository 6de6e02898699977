"""How the Lambda artefact is assembled: our code, its locked dependencies, botocore's data cut to what is called.

`make artefact` and SAM (`build-<function>` in the Makefile) start `python -m artefact`; the tests and `make bench` call
`assemble`. Nothing of the product imports it, and it is not in the artefact.
"""
