"""Large files in parts. The object appears whole, and only if nobody else created it meanwhile."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from include.adapters.s3_calls import CONFLICT, EXISTS, Calls, code_of
from include.rsp.errors import StoreUnavailable

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

AT_ONCE = 4
ROUNDS = 5
GONE = frozenset({"NoSuchUpload"})
"""The upload is over: completed by a request whose answer was lost, or ended by somebody."""


@dataclass(frozen=True, slots=True)
class PartsUpload:
    """One file on its way to one key; `key` is the name for messages."""

    client: S3Client
    calls: Calls
    bucket: str
    whole_key: str
    key: str
    extra: dict[str, Any]

    def send(self, content: bytes) -> str | None:
        """Create the object; its version, where the bucket keeps versions.

        After a conflict (409) S3 wants all parts again.

        Raises:
            ClientError: an object is there (`EXISTS`), or the upload is over (`GONE`): the caller
                compares what is there.
            StoreUnavailable: the store did not answer, or conflicts did not end.
        """
        for _ in range(ROUNDS):
            try:
                return self._round(content)
            except ClientError as error:
                if code_of(error) not in CONFLICT:
                    raise
        raise StoreUnavailable(
            f"Could not write {self.key} in {self.calls.uri}: {ROUNDS} uploads ended in a conflict "
            "with another writer of the same key. Find who writes it, then run the same again."
        )

    def _round(self, content: bytes) -> str | None:
        upload = self.calls.ask(
            "begin the upload of",
            self.key,
            lambda: self.client.create_multipart_upload(
                Bucket=self.bucket, Key=self.whole_key, ChecksumAlgorithm="SHA256", **self.extra
            ),
        )["UploadId"]
        try:
            return self._complete(upload, self._parts(upload, content))
        except (ClientError, StoreUnavailable):
            with contextlib.suppress(ClientError, StoreUnavailable):
                self.calls.ask(
                    "end the upload of",
                    self.key,
                    lambda: self.client.abort_multipart_upload(
                        Bucket=self.bucket, Key=self.whole_key, UploadId=upload
                    ),
                    expected=GONE,
                )
            raise

    def _parts(self, upload: str, content: bytes) -> list[CompletedPartTypeDef]:
        size = self.calls.settings.part
        starts = range(0, len(content), size)

        def send(number: int, start: int) -> CompletedPartTypeDef:
            answer = self.calls.ask(
                f"send part {number} of",
                self.key,
                lambda: self.client.upload_part(
                    Bucket=self.bucket,
                    Key=self.whole_key,
                    UploadId=upload,
                    PartNumber=number,
                    Body=content[start : start + size],
                    ChecksumAlgorithm="SHA256",
                ),
            )
            part: CompletedPartTypeDef = {"PartNumber": number, "ETag": answer["ETag"]}
            if answer.get("ChecksumSHA256"):
                part["ChecksumSHA256"] = answer["ChecksumSHA256"]
            return part

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(send, range(1, len(starts) + 1), starts))

    def _complete(self, upload: str, parts: list[CompletedPartTypeDef]) -> str | None:
        answer = self.calls.ask(
            "complete",
            self.key,
            lambda: self.client.complete_multipart_upload(
                Bucket=self.bucket,
                Key=self.whole_key,
                UploadId=upload,
                MultipartUpload={"Parts": parts},
                IfNoneMatch="*",
            ),
            expected=EXISTS | CONFLICT | GONE,
        )
        return answer.get("VersionId")
