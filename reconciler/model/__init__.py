"""The types that all of `reconciler` shares: what is seen, what differs, what can be done about it, and how it ended.

Pure values: no boto3, no clock, no environment. It may import `desired_state` only. Start with `operation.py` (a call),
then `state.py` (a look), `outcome.py` (how things end), `read.py` (a read of AWS), `kind.py` (the contract of a kind of
resource) and `trigger.py` (what started an attempt).
"""

from reconciler.model.interface import Interface
from reconciler.model.operation import (
    Action,
    ActionOptions,
    Effect,
    Operation,
    Parameters,
    Phase,
    Ref,
    Risk,
    refs,
)
from reconciler.model.outcome import (
    ENDED_THE_RUN,
    UNSETTLED,
    ActionResult,
    Cause,
    Ended,
    Finding,
    Outcome,
    Reason,
)
from reconciler.model.policy import (
    Policy,
)
from reconciler.model.state import (
    ABSENT,
    CERTAIN,
    DOCUMENT_TAG,
    HOLD_TAG,
    NAME_TAG,
    Absent,
    Change,
    Condition,
    Difference,
    Evidence,
    Found,
    Observed,
    Remark,
    Sign,
    Snapshot,
    SubnetRoutes,
    Unmanaged,
)

__all__ = [
    "ABSENT",
    "CERTAIN",
    "DOCUMENT_TAG",
    "ENDED_THE_RUN",
    "HOLD_TAG",
    "NAME_TAG",
    "UNSETTLED",
    "Absent",
    "Action",
    "ActionOptions",
    "ActionResult",
    "Cause",
    "Change",
    "Condition",
    "Difference",
    "Effect",
    "Ended",
    "Evidence",
    "Finding",
    "Found",
    "Interface",
    "Observed",
    "Operation",
    "Outcome",
    "Parameters",
    "Phase",
    "Policy",
    "Reason",
    "Ref",
    "Remark",
    "Risk",
    "Sign",
    "Snapshot",
    "SubnetRoutes",
    "Unmanaged",
    "refs",
]
