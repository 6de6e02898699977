"""A document for a network that exists: `setpoint import`. It only reads.

`new_document` reads everything in a VPC once (`reading`, `network`, `beside`), names it (`naming`), writes what the
kinds made of the answers (`draft`), proposes workloads (`workloads`), and plans its own document on the same answers
(`proof`): what is not only tag calls is refused. `into` adds to a document that exists. `report` says it to people and
programs. The command line calls it; the functions of Lambda do not have it.
"""
