"""Puts a document into the bucket in place of exactly the version that a person has seen, or not at all.

Only `setpoint rollback --upload` calls it, with the caller's own credentials: no function may write documents.

Facts encoded (S3 API reference, PutObject): `If-Match` refuses with 412 PreconditionFailed when the newest version has
another ETag, with 404 NoSuchKey when the object is deleted, and with 409 ConditionalRequestConflict when another upload
is under way; `If-None-Match: *` writes only where there is no object, or a delete marker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from desired_state.rollback_note import RollbackNote, metadata
from desired_state.sanitize import sanitize
from desired_state.sources import Documents, SourceError
from handlers.refusal import Kind, Refused

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_OVERTAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})
_DENIED = (
    "grant s3:PutObject on it, and kms:GenerateDataKey if a KMS key encrypts it; with the parameter DocumentWriters "
    "only those roles may upload"
)


class Upload:
    """Uploads of one document. `name` is the document's, `key` that of its object."""

    def __init__(self, client: S3Client, bucket: str, prefix: str, name: str) -> None:
        self._client, self._bucket, self._name = client, bucket, name
        self._key = f"{prefix}{name}.json"
        self._documents = Documents(client, bucket, prefix)

    def put(self, data: bytes, note: RollbackNote, instead_of: str) -> str:
        """The id of the new version. `instead_of` is the ETag of the newest one, empty if the object is deleted.

        Raises Refused: then somebody else's version is the newest one, or nobody knows.
        """
        where = sanitize(f"s3://{self._bucket}/{self._key}")
        condition: dict[str, Any] = {"IfMatch": instead_of} if instead_of else {"IfNoneMatch": "*"}
        try:
            answer = self._client.put_object(
                Bucket=self._bucket,
                Key=self._key,
                Body=data,
                ContentType="application/json",
                Metadata=metadata(note),
                **condition,
            )
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _OVERTAKEN:
                return self._unless_ours(data, where)
            hint = _DENIED if code == "AccessDenied" else "nothing was uploaded; try again later"
            raise Refused(f"{where}: S3 answers {sanitize(str(error))}; {hint}", Kind.CONNECTION) from error
        except (BotoCoreError, ResponseParserError, OSError) as error:
            hint = "whether it was uploaded is not known: run the command again, which shows the newest version"
            raise Refused(f"{where}: S3 gives no answer: {sanitize(str(error))}; {hint}", Kind.CONNECTION) from error
        return str(answer.get("VersionId", ""))

    def _unless_ours(self, data: bytes, where: str) -> str:
        """The newest version if it is this upload, whose first answer was lost and which was then sent again."""
        try:
            newest = self._documents.current(self._name)
        except SourceError as error:
            problem = f"{where}: it is not the newest version, and what is cannot be read: {error}"
            raise Refused(f"{problem}; run the command again", Kind.OVERTAKEN) from error
        if newest and newest.data == data:
            return newest.version_id
        what = "has uploaded a newer version" if newest else "has deleted the object"
        problem = f"{where}: somebody {what} meanwhile, so nothing was uploaded"
        raise Refused(f"{problem}; run the command again and review what it shows now", Kind.OVERTAKEN)
