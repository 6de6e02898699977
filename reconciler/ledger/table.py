"""The ledger's table in DynamoDB: conditional updates of one item, scans, and what its errors mean.

`lease.py` uses it, and knows what the items mean. Needs dynamodb:UpdateItem and dynamodb:Scan.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnectedError
from botocore.parsers import ResponseParserError

from desired_state.sanitize import sanitize

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_FAILURES = (ClientError, BotoCoreError, ResponseParserError)
_NO_ANSWER = (HTTPClientError, NotConnectedError, ResponseParserError)
_HINTS = {
    "ResourceNotFoundException": "create it in this region, or name the right one in SETPOINT_TABLE",
    "AccessDeniedException": "allow dynamodb:UpdateItem and dynamodb:Scan on it to this role",
    "ValidationException": "its key must be `document` (text), and `fence` in an item a number",
}
_WAIT = "the next run tries again; if this persists, check that DynamoDB can be reached and the table is not throttled"


class LedgerError(Exception):
    """The table could not be read or written: what was tried, on which table, and how to correct it.

    `code` is the error code of DynamoDB, if it answered with one. It never means that a lease is free, or that nothing
    is remembered.
    """

    def __init__(self, what: str, table: str, hint: str, code: str = "") -> None:
        super().__init__(f"{what} (table {table}): {hint}")
        self.what, self.table, self.hint, self.code = what, table, hint, code


class Answer(NamedTuple):
    """Whether the condition was met, and the item: the new one if requested, or the one that did not meet it."""

    done: bool
    item: Mapping[str, Any]


class Table:
    """One table, which raises LedgerError. `#name` in an expression is the attribute of that name, because `owner`,
    `region` and others are reserved words of DynamoDB (developer guide, "Reserved words").
    """

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self.name = name
        self._client = client

    def update(
        self,
        what: str,
        document: str,
        update: str,
        condition: str,
        values: Mapping[str, Any],
        *,
        returns: str = "NONE",
        sendings: int = 2,
    ) -> Answer:
        """One UpdateItem, sent at most `sendings` times if its answer is lost. Raises LedgerError."""
        params: dict[str, Any] = {
            "TableName": self.name,
            "Key": {"document": {"S": document}},
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": _names(update + condition),
            "ExpressionAttributeValues": _values(values),
            "ReturnValues": returns,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        while True:
            sendings -= 1
            try:
                return Answer(done=True, item=_plain(self._client.update_item(**params).get("Attributes", {})))
            except _FAILURES as error:
                if isinstance(error, ClientError) and _code(error) == "ConditionalCheckFailedException":
                    return Answer(done=False, item=_plain(error.response.get("Item", {})))  # type: ignore[arg-type]
                if not (_lost(error) and sendings):
                    raise self._error(what, error) from error

    def items(
        self, what: str, where: str, values: Mapping[str, Any], attributes: Iterable[str]
    ) -> Iterator[Mapping[str, Any]]:
        """Of all items that match `where`, the key and these attributes, all pages. Raises LedgerError."""
        wanted = ", ".join(f"#{name}" for name in ("document", *attributes))
        filtered: dict[str, Any] = {"ExpressionAttributeValues": _values(values)} if values else {}
        try:
            for page in self._client.get_paginator("scan").paginate(
                TableName=self.name,
                FilterExpression=where,
                ProjectionExpression=wanted,
                ExpressionAttributeNames=_names(where + wanted),
                ConsistentRead=True,
                **filtered,
            ):
                yield from map(_plain, page["Items"])
        except _FAILURES as error:
            raise self._error(what, error) from error

    def _error(self, what: str, error: Exception) -> LedgerError:
        return LedgerError(f"{what}: {sanitize(str(error))}", self.name, _HINTS.get(_code(error), _WAIT), _code(error))


def _names(expression: str) -> dict[str, str]:
    return {f"#{name}": name for name in re.findall(r"#(\w+)", expression)}


def _values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: TypeSerializer().serialize(value) for name, value in values.items()}


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}


def _code(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def _lost(error: Exception) -> bool:
    """Whether the call may have been carried out nevertheless."""
    if not isinstance(error, ClientError):
        return isinstance(error, _NO_ANSWER)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", HTTPStatus.BAD_REQUEST)
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR
