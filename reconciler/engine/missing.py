"""What a call names by its id, and AWS does not find: a document may name targets and peers that it does not declare.

Something that somebody has just created may not be found for some time (EC2 developer guide, Eventual consistency), so
the first run only waits for it. A difference that an earlier run left is not new: then a person has to act.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.aws.client import AwsError
from reconciler.aws.errors import bare
from reconciler.model import Action, ActionResult, Cause, Ended, Reason

_OF_CODE = {
    "invalidcarriergatewayid.notfound": ("cagw-",),
    "invalidgatewayid.notfound": ("igw-", "vgw-", "eigw-"),
    "invalidgroup.notfound": ("sg-",),
    "invalidlocalgatewayid.notfound": ("lgw-",),
    "invalidnatgatewayid.notfound": ("nat-",),
    "invalidnetworkinterfaceid.notfound": ("eni-",),
    "invalidprefixlistid.notfound": ("pl-",),
    "invalidsecuritygroupid.notfound": ("sg-",),
    "invalidtransitgatewayid.notfound": ("tgw-",),
    "invalidvpcendpointid.notfound": ("vpce-",),
    "invalidvpcpeeringconnectionid.notfound": ("pcx-",),
    "invalidvpngatewayid.notfound": ("vgw-",),
}
"""How the ids begin that a code, as from `bare`, says that there are none of (EC2 API reference, Error codes)."""


def unfound(action: Action, error: AwsError, *, old: bool) -> ActionResult | None:
    """How a call ends that names something which AWS does not find; None if it is not about that. What Setpoint manages
    is named by `Ref`, so an id is one of the document. `old`: an earlier run left the difference.
    """
    begins = _OF_CODE.get(bare(error.code), ())
    names = sorted({one for one in _texts(action.params) if begins and one.startswith(begins)})
    if not names:
        return None
    message = f"{' or '.join(names)} does not exist{'' if old else ', or AWS does not show it yet'}"
    cause = Cause(Reason.TARGET_GONE, f"{message}: create it, or declare another one ({error})", error.code)
    return ActionResult(action, Ended.FAILED if old else Ended.WAITING, cause)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
