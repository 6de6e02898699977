"""What the laboratory does of DynamoDB itself comes to what moto does, whatever is asked of whatever lies there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models import DynamoDBBackend

from lab import laboratory
from tests.support.ledger_table import create_table
from tests.support.sampling import sampled

KEY = {"document": {"S": "web"}}
VALUES: list[dict[str, Any]] = [
    {"S": ""},
    {"S": "run-1"},
    {"S": "run-2"},
    {"N": "0"},
    {"N": "7"},
    {"N": "7.000"},
    {"N": "-12.5"},
    {"N": "1E+3"},
    {"BOOL": True},
    {"NULL": True},
    {"L": [{"S": "a"}, {"M": {"b": {"N": "1"}}}]},
    {"M": {"a": {"S": "b"}, "c": {"L": []}}},
    {"SS": ["a", "b"]},
]
CONDITIONS = (
    "attribute_not_exists(#a)",
    "attribute_exists(#b)",
    "attribute_type(#a, :number)",
    "NOT attribute_type(#c, :number)",
    "#a = :x",
    "#b <> :x",
    "#a < :x",
    "#b >= :x",
    "#c <= #a",
    "#a > :x",
    "(#a = :x OR #b = :x)",
    "begins_with(#a, :x)",
    "#a.#b = :x",
    "size(#a) > :x",
)
UPDATES = (
    "SET #a = :x",
    "SET #a = :x, #b = :y",
    "SET #a=:x REMOVE #b, #c",
    "REMOVE #a",
    "ADD #a :x",
    "SET #c = :y ADD #b :x",
    "SET #a = if_not_exists(#b, :x)",
    "SET #a = :x, #a = :y",
    "SET #document = :x",
    "SET owner = :x",
    "SET a = :x REMOVE b",
    "SET #a = #b",
    "",
    "PUT #a",
)
RETURNS = ("NONE", "ALL_NEW", "ALL_OLD", "UPDATED_NEW")


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Any, Any]]:
    """Two clients and a table for each: of the laboratory, and of moto as it is."""
    with laboratory() as lab:
        clients = lab.outsider().client("dynamodb"), boto3.client("dynamodb", region_name=lab.region)
        for name in ("ours", "moto"):
            create_table(clients[1], name)
        yield clients


def _request(random_: random.Random) -> dict[str, Any]:
    if random_.random() < 0.15:
        return {"Item": KEY | _attributes(random_)}
    update = random_.choice(UPDATES)
    condition = " AND ".join(random_.sample(CONDITIONS, random_.choice((1, 1, 2, 3))))
    if random_.random() < 0.2:
        condition = condition.replace(" AND ", " OR ")
    request: dict[str, Any] = {"Key": KEY, "UpdateExpression": update, "ConditionExpression": condition}
    if random_.random() < 0.2:
        del request["ConditionExpression"]
        condition = ""
    both_ = f"{update} {condition}"
    values = {":x": random_.choice(VALUES), ":y": random_.choice(VALUES), ":number": {"S": "N"}}
    request["ExpressionAttributeNames"] = {
        f"#{name}": name for name in ("a", "b", "c", "document") if f"#{name}" in both_ or random_.random() < 0.02
    }
    request["ExpressionAttributeValues"] = {name: value for name, value in values.items() if name in both_}
    request["ReturnValues"] = random_.choices(RETURNS, (4, 4, 1, 1))[0]
    if random_.random() < 0.8:
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return {name: part for name, part in request.items() if part or name == "UpdateExpression"}


def _attributes(random_: random.Random) -> dict[str, Any]:
    return {name: random_.choice(VALUES) for name in ("a", "b", "c") if random_.random() < 0.7}


def _answer(client: Any, table: str, request: dict[str, Any]) -> Any:
    call = client.put_item if "Item" in request else client.update_item
    try:
        answer = call(TableName=table, **request)
    except ClientError as error:
        return error.response["Error"], error.response.get("Item")
    except (AttributeError, TypeError, ValueError) as error:  # moto breaks where AWS refuses
        return type(error)
    return {name: part for name, part in answer.items() if name not in {"ResponseMetadata", "ConsumedCapacity"}}


@pytest.mark.parametrize("seed", sampled(range(60), 30))
def test_every_answer_and_every_item_is_moto_s(both: tuple[Any, Any], seed: int) -> None:
    random_ = random.Random(seed)
    ours, moto = both
    for client, table in ((ours, "ours"), (moto, "moto")):
        client.delete_item(TableName=table, Key=KEY)
    for _ in range(30):
        request = _request(random_)
        assert _answer(ours, "ours", request) == _answer(moto, "moto", request), (seed, request)
        # Read by moto from what the laboratory wrote, and by the laboratory from what moto wrote.
        found = [client.get_item(TableName=table, Key=KEY).get("Item") for client in both for table in ("ours", "moto")]
        assert found == [found[0]] * 4, (seed, request)


def test_most_of_it_was_not_asked_of_moto(both: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    ours, _ = both
    ours.put_item(TableName="ours", Item=KEY | {"fence": {"N": "1"}})
    request = {
        "Key": KEY,
        "UpdateExpression": "SET #owner = :me ADD #fence :one",
        "ConditionExpression": "attribute_not_exists(#owner) OR #owner = :me",
        "ExpressionAttributeNames": {"#owner": "owner", "#fence": "fence"},
        "ExpressionAttributeValues": {":me": {"S": "run-1"}, ":one": {"N": "1"}},
        "ReturnValues": "ALL_NEW",
    }
    for _ in range(2):  # without an owner, and with one
        _answer(ours, "ours", request)
    monkeypatch.setattr(DynamoDBBackend, "update_item", None)
    assert _answer(ours, "ours", request)["Attributes"]["fence"] == {"N": "4"}
