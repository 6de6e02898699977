"""The core: how a drifted security group rule becomes a corrected call, an alert and a log line.

1. `attempt.keep.keep` takes the lease (`Ledger.take`), selects the version (`version.select_version`) and calls
   `engine.run.run`; the command line calls `run` itself.
2. `observe` makes the reads that the kind asks for (`Aws.read`), finds the declared group in the answers, and has the
   kind build its model: `aws.ec2.rules_of` turns each rule into a `RuleKey` of an `Observed` in the `Snapshot`.
3. `diff` compares it with the document: the undeclared rule is a `Difference`, which travels to the end unchanged.
   `suppress` takes out what is flapping.
4. `make_plan` asks the kind for calls (`security_group.rule_steps`): each is an `Action` with its effect on packets. It
   orders them so that no step opens or interrupts anything (`reach.steps.Steps`).
5. `gate` holds what policy, holds and limits forbid, with a `Cause`; `apply` makes the other calls (`Aws.write`), each
   an `ActionResult`.
6. `run` looks again, and `judge` compares both looks: the difference is a `Drift` with its `Outcome`, in a `Report`.
7. `attribute` asks CloudTrail who did it; `find_alerts` makes the `Alert`, `deduplicate` the `Notification` if it is
   new, and `Publisher.send` sends it.
8. `report.records.records` makes the log record, `handlers.telemetry.emit` writes it. `report.text` and
   `report.as_json` say the same to a terminal and to programs.
"""
