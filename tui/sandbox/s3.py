"""How the acted sidecar reaches a bucket: as barman does, with boto3 and the ObjectStore's own keys.

Nothing is pretended here: a read-only key fails because the store refuses it, a wrong endpoint
because nobody answers, and the text is boto3's. `Memory` stands in where no S3 server runs.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key and its secret."""

    access: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Door:
    """Where a bucket is and who asks."""

    endpoint: str
    bucket: str
    keys: Keys
    region: str = "auto"


@dataclass(frozen=True, slots=True)
class Lying:
    """An object as a listing shows it: `size` in bytes, time of the last write."""

    key: str
    size: int
    modified: datetime


class StoreFault(Exception):
    """The store refused or could not be reached; the text is boto3's own."""

    def __init__(self, text: str, *, reached: bool = True) -> None:
        super().__init__(text)
        self.reached = reached
        """False when no answer came at all."""


class Access(Protocol):
    """What a sidecar does with a bucket. Every method raises StoreFault."""

    async def put(self, door: Door, key: str, body: bytes) -> None:
        """Write one object."""

    async def get(self, door: Door, key: str) -> bytes:
        """Read one object."""

    async def list(self, door: Door, prefix: str) -> Sequence[Lying]:
        """Everything under a prefix, all pages."""

    async def delete(self, door: Door, keys: Iterable[str]) -> None:
        """Remove objects; one that is not there is no fault."""


class Boto:
    """The real way: boto3 in threads of its own, one client for each endpoint and key."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="sidecar")
        self._clients: dict[tuple[str, Keys, str], S3Client] = {}
        self._making = threading.Lock()

    def close(self) -> None:
        """Give the threads back; what they still do is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for client in self._clients.values():
            client.close()

    async def put(self, door: Door, key: str, body: bytes) -> None:
        """Write one object."""
        await self._run(door, lambda s3: s3.put_object(Bucket=door.bucket, Key=key, Body=body))

    async def get(self, door: Door, key: str) -> bytes:
        """Read one object."""
        return await self._run(
            door, lambda s3: s3.get_object(Bucket=door.bucket, Key=key)["Body"].read()
        )

    async def list(self, door: Door, prefix: str) -> Sequence[Lying]:
        """Everything under a prefix, all pages."""

        def pages(s3: S3Client) -> list[Lying]:
            found = s3.get_paginator("list_objects_v2").paginate(Bucket=door.bucket, Prefix=prefix)
            return [
                Lying(one["Key"], one["Size"], one["LastModified"])
                for page in found
                for one in page.get("Contents", ())
            ]

        return await self._run(door, pages)

    async def delete(self, door: Door, keys: Iterable[str]) -> None:
        """Remove objects; one that is not there is no fault."""
        wanted = list(keys)

        def remove(s3: S3Client) -> None:
            for start in range(0, len(wanted), 1000):
                batch = wanted[start : start + 1000]
                answer = s3.delete_objects(
                    Bucket=door.bucket, Delete={"Objects": [{"Key": key} for key in batch]}
                )
                for error in answer.get("Errors", ()):
                    raise StoreFault(
                        f"An error occurred ({error.get('Code')}) when calling the DeleteObjects "
                        f"operation: {error.get('Message')}"
                    )

        await self._run(door, remove)

    async def _run(self, door: Door, call: Callable[[S3Client], _T]) -> _T:
        def work() -> _T:
            # Half a second of import; it happens in a thread, after the API answers.
            from botocore.exceptions import (
                BotoCoreError,
                ClientError,
                ConnectionError,  # noqa: A004
                HTTPClientError,
            )

            try:
                return call(self._client(door))
            except ClientError as refusal:
                raise StoreFault(str(refusal)) from None
            except (ConnectionError, HTTPClientError) as silence:
                raise StoreFault(str(silence), reached=False) from None
            except (BotoCoreError, ValueError) as odd:
                raise StoreFault(str(odd)) from None

        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _client(self, door: Door) -> S3Client:
        # As above: boto3 is only loaded once somebody archives.
        import boto3
        from botocore.config import Config

        with self._making:  # sessions are not safe to share between threads
            which = (door.endpoint, door.keys, door.region)
            if which not in self._clients:
                self._clients[which] = boto3.session.Session().client(
                    "s3",
                    endpoint_url=door.endpoint,
                    aws_access_key_id=door.keys.access,
                    aws_secret_access_key=door.keys.secret,
                    region_name=door.region,
                    config=Config(
                        connect_timeout=3,
                        read_timeout=10,
                        retries={"total_max_attempts": 2, "mode": "standard"},
                        request_checksum_calculation="when_required",
                        response_checksum_validation="when_required",
                        s3={"addressing_style": "path"},
                    ),
                )
            return self._clients[which]


class Memory:
    """A bucket in this process, for machines without an S3 server: same manners, nobody else sees it."""

    def __init__(self, bucket: str, writers: Iterable[Keys], readers: Iterable[Keys] = ()) -> None:
        self._bucket = bucket
        self._writers = frozenset(writers)
        self._readers = frozenset(readers) | self._writers
        self._objects: dict[str, tuple[Lying, bytes]] = {}

    def lay(self, lying: Lying, body: bytes = b"") -> None:
        """Put an object there that is as old as it says."""
        self._objects[lying.key] = (lying, body)

    async def put(self, door: Door, key: str, body: bytes) -> None:
        """Write one object."""
        self._admit(door, self._writers, "PutObject")
        self.lay(Lying(key, len(body), datetime.now(UTC)), body)

    async def get(self, door: Door, key: str) -> bytes:
        """Read one object."""
        self._admit(door, self._readers, "GetObject")
        if key not in self._objects:
            raise _fault("NoSuchKey", "GetObject", "The specified key does not exist.")
        return self._objects[key][1]

    async def list(self, door: Door, prefix: str) -> Sequence[Lying]:
        """Everything under a prefix, in key order."""
        self._admit(door, self._readers, "ListObjectsV2")
        return [self._objects[key][0] for key in sorted(self._objects) if key.startswith(prefix)]

    async def delete(self, door: Door, keys: Iterable[str]) -> None:
        """Remove objects; one that is not there is no fault."""
        self._admit(door, self._writers, "DeleteObjects")
        for key in keys:
            self._objects.pop(key, None)

    def _admit(self, door: Door, admitted: frozenset[Keys], operation: str) -> None:
        if door.keys not in self._readers:
            known = {keys.access for keys in self._readers}
            code, text = (
                ("SignatureDoesNotMatch", "The request signature we calculated does not match.")
                if door.keys.access in known
                else ("InvalidAccessKeyId", "The access key ID you provided does not exist.")
            )
            raise _fault(code, operation, text)
        if door.bucket != self._bucket:
            raise _fault("NoSuchBucket", operation, "The specified bucket does not exist")
        if door.keys not in admitted:
            raise _fault("AccessDenied", operation, "Access Denied.")


def _fault(code: str, operation: str, text: str) -> StoreFault:
    return StoreFault(f"An error occurred ({code}) when calling the {operation} operation: {text}")
