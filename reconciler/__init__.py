"""The core. How a drifted security group rule becomes a corrected call, an alert and a log line:

1. `attempt.keep.keep` takes the lease (`Ledger.take`), picks the version (`version.select_version`) and calls
   `engine.run.run`; the command line calls `run` itself.
2. `observe` has the kind say what to read, reads it (`Aws.read`), finds the declared group among the answers, and has the
   kind make the model of it: `aws.ec2.rules_of` turns each rule into a `RuleKey` of an `Observed` in the `Snapshot`.
3. `diff` compares it with the document: the rule nobody declared is a `Difference`, which travels to the end as it is.
   `suppress` takes out what is flapping.
4. `make_plan` asks the kind for calls (`security_group.rule_steps`): each is an `Action` with its effect on packets. It
   orders them so that no step opens or cuts anything (`packets.reachability.Reachability`).
5. `gate` holds what policy, holds and limits forbid, with a `Cause`; `apply` makes the other calls (`Aws.write`), each an
   `ActionResult`.
6. `run` looks again, and `judge` compares both looks: the difference becomes a `Drift` with its `Outcome`, in a `Report`.
7. `attribute` asks CloudTrail who did it; `find_alerts` makes the `Alert`, `deduplicate` the `Notification` if it is news,
   and `Publisher.send` sends it.
8. `report.records.records` makes the log line, and `handlers.telemetry.emit` writes it. `report.text` and
   `report.as_json` say the same to a terminal and to programs.
"""
