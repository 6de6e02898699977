"""Environment variables and options become one Policy, or an error that says what, where and a hint."""

from __future__ import annotations

from dataclasses import fields

import pytest

from handlers.settings import SettingsError, deployment, settings
from reconciler.model import Policy

BREAKS = "write a whole number from 0, or leave it out for the default, which depends on the document's size"


def test_without_any_setting_the_policy_is_the_careful_one() -> None:
    assert settings({}) == Policy()


def test_every_setting_has_a_variable() -> None:
    environment = {
        "SETPOINT_MODE": "report",
        "SETPOINT_CREATE_DATABASES": "1",
        "SETPOINT_DOWNTIME": "window",
        "SETPOINT_MAX_BREAKS": "7",
        "SETPOINT_PRUNE": "true",
        "SETPOINT_ADOPT": "0",
        "SETPOINT_HOLD_EXPOSURES": "0",
        "SETPOINT_MAX_HOLD_HOURS": "3",
        "SETPOINT_QUOTA_RULES": "100",
        "SETPOINT_QUOTA_ENTRIES": "30",
        "SETPOINT_QUOTA_ROUTES": "50",
    }
    assert environment.keys() == {f"SETPOINT_{one.name.upper()}" for one in fields(Policy)}
    assert settings(environment) == Policy(
        mode="report",
        create_databases=True,
        downtime="window",
        max_breaks=7,
        prune=True,
        adopt=False,
        hold_exposures=False,
        max_hold_hours=3,
        quota_rules=100,
        quota_entries=30,
        quota_routes=50,
    )


def test_an_option_wins_over_the_variable_and_none_is_no_option() -> None:
    environment = {"SETPOINT_PRUNE": "1", "SETPOINT_DOWNTIME": "now"}
    assert settings(environment, {"prune": False, "downtime": None}) == Policy(downtime="now")


def test_an_empty_variable_counts_as_not_set() -> None:
    assert settings({"SETPOINT_MAX_BREAKS": "", "SETPOINT_MODE": ""}) == Policy()


@pytest.mark.parametrize(
    ("environment", "chosen", "told"),
    [
        ({"SETPOINT_MODE": "off"}, {}, "SETPOINT_MODE: 'off' is not valid; write correct or report"),
        ({"SETPOINT_PRUNE": "maybe"}, {}, "SETPOINT_PRUNE: 'maybe' is not valid; write 1 or 0"),
        (
            {"SETPOINT_MAX_HOLD_HOURS": "-1"},
            {},
            "SETPOINT_MAX_HOLD_HOURS: '-1' is not valid; write a whole number of hours from 0 to 8760",
        ),
        (
            {"SETPOINT_MAX_BREAKS": "5"},
            {"max_breaks": "lots"},
            "--max-breaks: 'lots' is not valid; " + BREAKS,
        ),
    ],
)
def test_a_bad_value_is_told_with_its_place_and_its_mend(
    environment: dict[str, str], chosen: dict[str, str], told: str
) -> None:
    with pytest.raises(SettingsError) as error:
        settings(environment, chosen)
    assert str(error.value) == told


def test_all_bad_values_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        settings({"SETPOINT_MODE": "off", "SETPOINT_PRUNE": "maybe"})
    assert len(str(error.value).splitlines()) == 2


def test_a_misspelt_limit_is_refused_rather_than_being_no_limit() -> None:
    with pytest.raises(SettingsError) as error:
        settings({"SETPOINT_MAX_BREAK": "0"})
    assert str(error.value) == "SETPOINT_MAX_BREAK: unknown setting; did you mean SETPOINT_MAX_BREAKS?"


def test_variables_of_other_parts_are_left_alone() -> None:
    assert settings({"SETPOINT_QUEUE_URL": "x", "SETPOINT_TABLE": "y"}) == Policy()


def test_a_hostile_value_is_told_on_one_line() -> None:
    with pytest.raises(SettingsError) as error:
        settings({"SETPOINT_MODE": "\x1b[2J\nIn sync."})
    assert len(str(error.value).splitlines()) == 1
    assert str(error.value).isprintable()


STACK = {
    "SETPOINT_BUCKET": "setpoint-documents",
    "SETPOINT_TABLE": "setpoint",
    "SETPOINT_QUEUE_URL": "https://sqs.ap-northeast-2.amazonaws.com/123456789012/setpoint",
    "SETPOINT_OWN_ROLES": "arn:aws:iam::123456789012:role/setpoint-worker",
}
ROLES = "arn:aws:iam::111122223333:role/setpoint, arn:aws:iam::444455556666:role/x/setpoint"


def test_a_deployment_says_where_its_parts_are_and_takes_the_careful_value_for_the_rest() -> None:
    found = deployment(STACK | {"SETPOINT_ROLE_ARNS": ROLES, "SETPOINT_TOPIC_ARN": ""})
    assert found.role_arns == ("arn:aws:iam::111122223333:role/setpoint", "arn:aws:iam::444455556666:role/x/setpoint")
    assert (found.prefix, found.event_bus, found.topic_arn) == ("documents/", "default", "")
    assert (found.alert_form, found.alert_repeat_hours, found.reserve_seconds) == ("text", 24, 60)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"SETPOINT_BUCKET": ""},
            "SETPOINT_BUCKET: not set; write the name of the bucket that holds the documents",
        ),
        (
            {"SETPOINT_PREFIX": "documents"},
            "SETPOINT_PREFIX: 'documents' is not valid; write a prefix that ends in /",
        ),
        ({"SETPOINT_ALERT_FORM": "fax"}, "SETPOINT_ALERT_FORM: 'fax' is not valid; write text or chat"),
        ({"SETPOINT_ROLE_ARNS": "setpoint"}, "SETPOINT_ROLE_ARNS: 'setpoint' is not valid; write ARNs of roles"),
        (
            {"SETPOINT_ROLE_ARNS": "arn:aws:iam::111122223333:role/a,arn:aws:iam::111122223333:role/b"},
            "at most one per account",
        ),
        ({"SETPOINT_TABEL": "x"}, "SETPOINT_TABEL: unknown setting; did you mean SETPOINT_TABLE?"),
    ],
)
def test_a_deployment_that_cannot_be_used_says_which_variable_and_what_to_write(
    change: dict[str, str], told: str
) -> None:
    with pytest.raises(SettingsError) as error:
        deployment(STACK | change)
    assert told in str(error.value)


def test_no_setting_of_one_model_is_taken_for_a_misspelling_of_the_other() -> None:
    assert settings(STACK | {"SETPOINT_PREFIX": "documents/"}).mode == "correct"
    assert deployment(STACK | {"SETPOINT_PRUNE": "1", "SETPOINT_MODE": "report"}).table == "setpoint"
