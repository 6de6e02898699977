"""Settings: environment variables `SETPOINT_<NAME>`, read once into frozen values.

`settings` reads the policy, how far a run may go; the command line passes its options as `chosen`, which override the
environment. `deployment` reads where the Lambda functions find their bucket, table, queue and topic. A document cannot
set any of these (`reconciler/model/policy.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from desired_state.quotas import MOST
from desired_state.sanitize import sanitize
from handlers.bindings import Binding
from reconciler.model import Policy

PREFIX = "SETPOINT_"


class SettingsError(Exception):
    """Invalid settings: one line each, with the name, the problem and a hint."""


def _split(text: object) -> object:
    return tuple(filter(None, map(str.strip, text.split(",")))) if isinstance(text, str) else text


_RATE = re.compile(r"rate\(([0-9]{1,4}) (minute|hour|day)s?\)")


def rate_of(expression: str) -> timedelta | None:
    """The time of a rate of EventBridge Scheduler, such as `rate(5 minutes)`; None if it is none."""
    found = _RATE.fullmatch(expression)
    return timedelta(**{f"{found[2]}s": int(found[1])}) if found else None


_ROLE = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[a-zA-Z0-9_+=.@/-]+$"
_Roles = Annotated[tuple[Annotated[str, Field(pattern=_ROLE)], ...], BeforeValidator(_split)]
_ROLES = "write ARNs of roles, separated by commas: arn:aws:iam::111122223333:role/setpoint-target"


def _one_per_account(arns: tuple[str, ...]) -> tuple[str, ...]:
    if len({arn.split(":")[4] for arn in arns}) < len(arns):
        raise ValueError("two roles in one account")
    return arns


def _bindings(given: object) -> object:
    """Each as a `Binding`. An empty part is refused too, because no binding at all would allow everything."""
    return tuple(Binding.read(one.strip()) for one in given.split(",")) if isinstance(given, str) else given


class Deployment(BaseModel):
    """What the functions of one stack work with; hours and seconds as named. A field's description is its hint.

    `role_arns` are the roles in the other accounts that documents may be for, at most one per account; `own_roles` are
    the stack's own roles, by which the functions recognize their own calls. With `bindings`, a document may only be for
    the accounts and VPCs that they allow its name. A function with `questions_only` refuses to apply, and enters other
    accounts to read only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bucket: str = Field(min_length=3, description="write the name of the bucket that holds the documents")
    prefix: str = Field("documents/", pattern=r"^([a-zA-Z0-9_.-]+/)*$", description="write a prefix that ends in /")
    receipts: str = Field(
        "", pattern=r"^([a-z0-9.-]{3,63})?$", description="write the name of the bucket for receipts, or leave it out"
    )
    table: str = Field(min_length=3, description="write the name of the DynamoDB table")
    queue_url: str = Field(pattern=r"^https?://", description="write the URL of the queue")
    topic_arn: str = Field("", pattern=r"^(arn:.+)?$", description="write the ARN of the SNS topic, or leave it out")
    event_bus: str = Field("default", min_length=1, description="write the name of the event bus")
    alert_form: Literal["text", "chat"] = Field("text", description="write text or chat")
    alert_repeat_hours: int = Field(24, ge=1, le=8760, description="write a whole number of hours from 1 to 8760")
    role_arns: Annotated[_Roles, AfterValidator(_one_per_account)] = Field(
        (), description=f"{_ROLES}, at most one per account"
    )
    external_id: str = Field("", pattern=r"^[a-zA-Z0-9_+=,.@:/-]*$", description="write the roles' external id")
    own_roles: Annotated[_Roles, Field(min_length=1)] = Field(description=_ROLES)
    bindings: Annotated[tuple[Binding, ...], BeforeValidator(_bindings)] = Field(
        (),
        description="write <document>=<account> or <document>=<account>/<vpc id>, separated by commas: "
        "team-a=111122223333/vpc-0123456789abcdef0,team-b-*=999999999999",
    )
    rate: str = Field(
        "", pattern=r"^(rate\(.+\))?$", description="write a rate such as rate(5 minutes), or leave it out"
    )
    questions_only: bool = Field(default=False, description="write 1 or 0")
    item_memo: bool = Field(default=True, description="write 1 or 0")
    stale_seconds: int = Field(1800, ge=60, le=604800, description="write a whole number of seconds from 60 to 604800")
    reserve_seconds: int = Field(60, ge=5, le=120, description="write a whole number of seconds from 5 to 120")


_OF_POLICY = {
    "mode": "write correct or report",
    "create_databases": "write 1 or 0",
    "downtime": "write never, window or now",
    "max_breaks": "write a whole number from 0, or leave it out for the default, which depends on the document's size",
    "prune": "write 1 or 0",
    "adopt": "write 1 or 0",
    "hold_exposures": "write 1 or 0",
    "max_hold_hours": "write a whole number of hours from 0 to 8760",
    "quota_rules": f"write a whole number of rules from 1 to {MOST.rules}",
    "quota_entries": f"write a whole number of entries from 2 to {MOST.entries}",
    "quota_routes": f"write a whole number of routes from 1 to {MOST.routes}",
}
"""What to write instead, by the field of Policy."""
_OF_DEPLOYMENT = {name: field.description or "" for name, field in Deployment.model_fields.items()}
_NAMES = {PREFIX + field.upper() for field in (*_OF_POLICY, *_OF_DEPLOYMENT)}


def settings(environment: Mapping[str, str], chosen: Mapping[str, Any] | None = None) -> Policy:
    """The policy in `environment`, overridden by the fields in `chosen` (None: not chosen).

    An empty variable counts as not set, because templates cannot leave one out. Raises SettingsError, also for a
    variable whose name is almost one of these, because a misspelled limit would be no limit.
    """
    return _read(Policy, _OF_POLICY, environment, chosen or {})


def deployment(environment: Mapping[str, str]) -> Deployment:
    """The deployment in `environment`. Raises SettingsError, as `settings` does."""
    return _read(Deployment, _OF_DEPLOYMENT, environment, {})


def _read[Model](
    model: type[Model], hints: Mapping[str, str], environment: Mapping[str, str], chosen: Mapping[str, Any]
) -> Model:
    given = {field: environment[name] for field in hints if environment.get(name := PREFIX + field.upper())}
    options = {field: value for field in hints if (value := chosen.get(field)) is not None}
    problems = [_misspelt(name, close[0]) for name in environment if (close := _close(name))]
    try:
        read = TypeAdapter(model).validate_python(given | options)
    except ValidationError as error:
        fields = dict.fromkeys(str(one["loc"][0]) for one in error.errors())
        problems += [_refused(field, hints[field], given, options) for field in fields]
    else:
        if not problems:
            return read
    raise SettingsError("\n".join(problems)) from None


def _close(name: str) -> list[str]:
    if not name.startswith(PREFIX) or name in _NAMES:
        return []
    return get_close_matches(name, _NAMES, n=1, cutoff=0.85)


def _misspelt(name: str, meant: str) -> str:
    return f"{sanitize(name)}: unknown setting; did you mean {meant}?"


def _refused(field: str, hint: str, given: Mapping[str, str], options: Mapping[str, Any]) -> str:
    where = f"--{field.replace('_', '-')}" if field in options else PREFIX + field.upper()
    if field not in given and field not in options:
        return f"{where}: not set; {hint}"
    value = options.get(field, given.get(field))
    return f"{where}: {sanitize(repr(value))} is not valid; {hint}"
