"""An S3 bucket as this tool reads it: pages of keys, small objects, and what the store says of itself.

The only file that knows boto3. Read-only by construction: there is no method that writes or deletes,
and the client below refuses to send anything but the operations named here. No retries (a sweep owns
patience). boto3 blocks, so each call runs in a thread of this bucket's own.

What R2 and its like need is set for every store: signature version 4, path-style addresses where an
endpoint is given, checksums only where required.
"""

from __future__ import annotations

import asyncio
import functools
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote_plus

import boto3
import botocore.session
from botocore import exceptions, handlers
from botocore.config import Config
from botocore.loaders import Loader

from tui import __version__, faults, words
from tui.barman.s3 import Answer, Requests, Rule, Upload, Uploads
from tui.cnpg.location import Place
from tui.wire import s3_faults, s3_pages
from tui.wire.s3_faults import Call, Reply
from tui.wire.threads import DaemonThreads

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

T = TypeVar("T")

CONNECT = 4.0
"""Seconds for name, TCP and TLS."""
SILENCE = 5.0
"""Seconds without a byte after which a request is given up."""
ANSWER = 20.0
"""Seconds for a whole answer, however slowly it drips."""
CONNECTIONS = 32

_CLASS_A = frozenset({"ListObjectsV2", "ListMultipartUploads"})
_CLASS_B = frozenset(
    {
        "GetBucketLifecycleConfiguration",
        "GetBucketVersioning",
        "GetObject",
        "HeadBucket",  # botocore's own, to find out a bucket's region
        "HeadObject",
    }
)


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials and whose they are: ``secret r2-creds``. Only ``identity`` is ever shown."""

    identity: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Ambient:
    """Credentials as AWS tools find them: environment, shared files, or the machine's role.

    They may expire and are then renewed by the library. With ``profile``: that profile's.
    """

    profile: str = ""

    @property
    def identity(self) -> str:
        """What is shown."""
        return f"profile {self.profile}" if self.profile else "environment"


@dataclass(frozen=True, slots=True)
class Head:
    """What a HEAD tells of an object."""

    size: int
    etag: str


class NoKeys(faults.Misconfigured):
    """There are no credentials where they were looked for."""


class Bucket:
    """One bucket, as one identity. Every method may raise ``faults.Fault`` and be cancelled."""

    def __init__(
        self, place: Place, identity: str, client: S3Client, ca: _CaFile, spent: _Spent
    ) -> None:
        self.place = place
        self.identity = identity
        self._client = client
        self._ca = ca
        self._spent = spent
        self._threads = DaemonThreads(CONNECTIONS, f"s3 {place.bucket}")

    @classmethod
    async def open(
        cls, place: Place, keys: Keys | Ambient, *, region: str = "", ca: str = ""
    ) -> Bucket:
        """Prepare to talk to the store; nothing is sent. ``ca`` is a bundle in PEM.

        Raises :class:`NoKeys`, and ``faults.Misconfigured`` for an endpoint that is none.
        """
        return await asyncio.to_thread(cls._open, place, keys, region, ca)

    @classmethod
    def _open(cls, place: Place, keys: Keys | Ambient, region: str, ca: str) -> Bucket:
        call = Call("open", "", place, place.path, keys.identity)
        file, spent = _CaFile(ca), _Spent()
        try:
            with _translated(call, spent):
                client = _client(place, keys, region, file)
        except faults.Fault:
            file.close()
            raise
        _listen(client, spent)
        return cls(place, keys.identity, client, file, spent)

    @property
    def requests(self) -> Requests:
        """What was sent so far."""
        return self._spent.requests

    @property
    def skew(self) -> timedelta | None:
        """How far the store's clock is ahead of ours, by its last answer."""
        return self._spent.skew

    async def close(self) -> None:
        """Let go of the connections; a request under way is left to its timeout."""
        self._threads.shutdown(wait=False)
        self._client.close()
        self._ca.close()

    async def list(
        self, prefix: str, *, delimiter: str = "", start_after: str = "", token: str = ""
    ) -> Answer:
        """One page of the keys below ``prefix``, and of the folders if there is a ``delimiter``."""
        call = self._call("list", "s3:ListBucket", prefix)
        asked = {"Prefix": prefix, "EncodingType": "url"}
        optional = {"Delimiter": delimiter, "StartAfter": start_after, "ContinuationToken": token}
        asked |= {name: value for name, value in optional.items() if value}

        def send() -> Answer:
            found: Any = self._client.list_objects_v2(Bucket=self.place.bucket, **asked)  # type: ignore[arg-type]
            answer = found.get(_ANSWER) or _slowly_read(found)
            if answer is None:
                raise s3_faults.odd(call, self._spent.last.status, self._spent.last.start)
            return answer

        return await self._ask(call, send)

    async def head(self, key: str) -> Head:
        """Size and ETag of an object."""
        call = self._call("look at", "s3:GetObject", key)

        def send() -> Head:
            found = self._client.head_object(Bucket=self.place.bucket, Key=key)
            return Head(found["ContentLength"], found["ETag"].strip('"'))

        return await self._ask(call, send)

    async def get(self, key: str, *, at_most: int) -> bytes:
        """A small object. Raises ``faults.BadAnswer`` for one of more than ``at_most`` bytes."""
        call = self._call("read", "s3:GetObject", key)

        def send() -> bytes:
            found = self._client.get_object(Bucket=self.place.bucket, Key=key)
            with found["Body"] as body:
                content = body.read(at_most + 1)
            if len(content) > at_most:
                raise faults.BadAnswer(
                    f"cannot {call}: it has more than {words.size(at_most)}, which no such file has"
                )
            if len(content) < found["ContentLength"]:
                raise s3_faults.unreachable(call, "IncompleteReadError", "")
            return content

        return await self._ask(call, send)

    async def uploads(self, prefix: str) -> Uploads:
        """Multipart uploads begun and not ended below ``prefix``: the first page of them."""
        call = self._call("list the uploads of", "s3:ListBucketMultipartUploads", prefix)

        def send() -> Uploads:
            found = self._client.list_multipart_uploads(Bucket=self.place.bucket, Prefix=prefix)
            uploads = tuple(
                Upload(upload["Key"], upload["Initiated"]) for upload in found.get("Uploads", ())
            )
            return Uploads(uploads, more=found.get("IsTruncated", False))

        return await self._ask(call, send)

    async def rules(self) -> tuple[Rule, ...]:
        """The bucket's lifecycle rules; none where it has none."""
        call = self._call("read the lifecycle rules of", "s3:GetLifecycleConfiguration", "")

        def send() -> tuple[Rule, ...]:
            found = self._client.get_bucket_lifecycle_configuration(Bucket=self.place.bucket)
            return tuple(_rule(rule) for rule in found.get("Rules", ()))

        try:
            return await self._ask(call, send)
        except faults.NotFound as absent:
            if "no lifecycle rules" in str(absent):
                return ()
            raise

    async def versioning(self) -> str:
        """``Enabled``, ``Suspended``, or ``""`` for never enabled."""
        call = self._call("read the versioning of", "s3:GetBucketVersioning", "")

        def send() -> str:
            return self._client.get_bucket_versioning(Bucket=self.place.bucket).get("Status", "")

        return await self._ask(call, send)

    def _call(self, verb: str, action: str, key: str) -> Call:
        return Call(verb, action, self.place, key, self.identity)

    async def _ask(self, call: Call, send: Callable[[], T]) -> T:
        def asked() -> T:
            with _translated(call, self._spent):
                return send()

        try:
            async with asyncio.timeout(ANSWER):
                return await asyncio.get_running_loop().run_in_executor(self._threads, asked)
        except TimeoutError as error:
            raise s3_faults.unreachable(call, "ReadTimeoutError", "") from error
        except RuntimeError as error:
            raise faults.Unreachable(f"cannot {call}: the connection is closed") from error


class _CaFile:
    """A CA bundle where the library can read it; ``path`` is None without one."""

    def __init__(self, text: str) -> None:
        self.path: str | None = None
        if text:
            handle, self.path = tempfile.mkstemp(prefix="cnpg-tui-ca-", suffix=".pem")  # mode 0600
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)

    def close(self) -> None:
        if self.path is not None:
            Path(self.path).unlink(missing_ok=True)


class _Last(threading.local):
    """How the last answer in this thread began."""

    status = 0
    start = b""


class _Spent:
    """Counts the requests, reads pages before botocore does, and remembers how answers began."""

    def __init__(self) -> None:
        self.requests = Requests()
        self.skew: timedelta | None = None
        self.last = _Last()
        self._lock = threading.Lock()
        # One page is read at a time: thirty threads that all want Python at once would keep the
        # event loop, which is one more, from its turn for long.
        self._reading = threading.Lock()

    def sending(self, event_name: str, **_: Any) -> None:
        """A request goes out."""
        self.last.status, self.last.start = 0, b""
        operation = event_name.rpartition(".")[2]
        cost = Requests(class_a=1) if operation in _CLASS_A else Requests(class_b=1)
        with self._lock:
            self.requests += cost

    def answered(
        self,
        operation_model: Any,
        response_dict: dict[str, Any],
        customized_response_dict: dict[str, Any],
        **_: Any,
    ) -> None:
        """An answer came in, and botocore is about to parse it. Of a page it is left nothing."""
        self.last.status, body = response_dict["status_code"], response_dict["body"]
        told = _moment(response_dict["headers"].get("date", ""))
        self.skew = told - datetime.now(UTC) if told is not None else self.skew
        if not isinstance(body, bytes):
            return
        self.last.start = body[:4000]
        if operation_model.name == "ListObjectsV2" and self.last.status == 200:
            with self._reading:
                answer = s3_pages.read(body)
            if answer is not None:
                customized_response_dict[_ANSWER] = answer
                response_dict["body"] = _NOTHING_LEFT


def _moment(text: str) -> datetime | None:
    """A Date header; None where it is none."""
    try:
        told = parsedate_to_datetime(text)
    except ValueError:
        return None
    return told if told.tzinfo is not None else None


_ANSWER = "Answer"
_BEFORE_PARSE = "before-parse.s3.*"
_NOTHING_LEFT = b"<ListBucketResult></ListBucketResult>"


@functools.cache
def _descriptions() -> Loader:
    """What botocore knows of S3. Read anew for each of a fleet's buckets it takes 60 ms every time."""
    loader: Loader = botocore.session.get_session().get_component("data_loader")
    return loader


_making = threading.Lock()
"""Clients are made one at a time: the descriptions are completed while the first is."""


def _client(place: Place, keys: Keys | Ambient, region: str, ca: _CaFile) -> S3Client:
    core = botocore.session.get_session()
    if isinstance(keys, Keys):
        session = boto3.session.Session(
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
            aws_session_token=keys.session_token or None,
            botocore_session=core,
        )
    else:
        session = boto3.session.Session(profile_name=keys.profile or None, botocore_session=core)
        if session.get_credentials() is None:
            raise exceptions.NoCredentialsError
    fallback = "auto" if place.is_r2 else session.region_name or "us-east-1"
    with _making:
        core.register_component("data_loader", _descriptions())
        return _made(session, place, region or fallback, ca)


def _made(session: boto3.session.Session, place: Place, region: str, ca: _CaFile) -> S3Client:
    return session.client(
        "s3",
        endpoint_url=place.endpoint_url or None,
        region_name=region,
        verify=ca.path,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if place.endpoint_url else "auto"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=CONNECT,
            read_timeout=SILENCE,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=CONNECTIONS,
            user_agent=f"cnpg-tui/{__version__}",
        ),
    )


def _listen(client: S3Client, spent: _Spent) -> None:
    events = client.meta.events
    events.register("before-call.s3", _refuse_to_write)
    events.register("before-send.s3", spent.sending)
    # botocore builds a tree of every page to see whether it is an error in disguise. Let it look
    # behind us, at what is left: 8 ms less a page.
    suspicious = getattr(handlers, "_handle_200_error", None)
    if suspicious is not None:
        events.unregister(_BEFORE_PARSE, suspicious)
        events.register(_BEFORE_PARSE, suspicious)
    events.register_first(_BEFORE_PARSE, spent.answered)


def _refuse_to_write(event_name: str, **_: Any) -> None:
    operation = event_name.rpartition(".")[2]
    if operation not in _CLASS_A | _CLASS_B:
        raise AssertionError(f"{operation} is not an operation this tool may send")


def _slowly_read(found: Mapping[str, Any]) -> Answer | None:
    """A page as botocore read it, None where it is no page or contradicts itself."""
    objects, folders = found.get("Contents", ()), found.get("CommonPrefixes", ())
    token: str = found.get("NextContinuationToken", "")
    if found.get("KeyCount", -1) not in (len(objects), len(objects) + len(folders)):
        return None
    if found.get("IsTruncated", False) and not token:
        return None
    decode: Callable[[str], str] = unquote_plus if found.get("EncodingType") == "url" else str
    return Answer(
        [
            (decode(seen["Key"]), seen["Size"], seen["LastModified"], seen["ETag"].strip('"'))
            for seen in objects
        ],
        tuple(decode(folder["Prefix"]) for folder in folders),
        token,
    )


def _rule(rule: Mapping[str, Any]) -> Rule:
    chosen: Mapping[str, Any] = rule.get("Filter", {})
    chosen = chosen.get("And", chosen)
    prefix = chosen.get("Prefix", rule.get("Prefix", ""))
    expires: Mapping[str, Any] = rule.get("Expiration", {})
    return Rule(
        id=words.clean(rule.get("ID", "")),
        enabled=rule.get("Status") == "Enabled",
        prefix=words.clean(prefix),
        expires_after=expires.get("Days"),
        aborts_after=rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation"),
        expires_on=expires.get("Date"),
        selective=bool(chosen.keys() - {"Prefix"}),
    )


@contextmanager
def _translated(call: Call, spent: _Spent) -> Iterator[None]:
    """Everything the library raises becomes a fault, here and nowhere else."""
    try:
        yield
    except exceptions.ClientError as error:
        raise _told(call, error, spent.last) from error
    except RecursionError as error:
        # Without the cause: a thousand frames of botocore calling itself.
        raise s3_faults.redirected_for_ever(call) from error.with_traceback(None)
    except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
        raise s3_faults.unreachable(call, type(error).__name__, str(error)) from error
    except (exceptions.BotoCoreError, ValueError) as error:
        raise _not_sent(call, error) from error
    except OSError as error:
        raise s3_faults.unreachable(call, type(error).__name__, "") from error


def _told(call: Call, error: exceptions.ClientError, last: _Last) -> faults.Fault:
    said: Mapping[str, Any] = error.response.get("Error", {})
    about: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    status, code = int(about.get("HTTPStatusCode", 0)), str(said.get("Code", ""))
    if 200 <= last.status < 300 and code.isdecimal():
        # botocore makes a 500 of every success that it cannot parse.
        return s3_faults.odd(call, last.status, last.start)
    headers: Mapping[str, str] = about.get("HTTPHeaders", {})
    if status == 404 and error.operation_name.startswith("Head"):
        return s3_faults.not_found_by_head(call)
    wait = headers.get("retry-after", "")
    reply = Reply(
        status,
        code,
        str(said.get("Message", "")),
        region=said.get("Region", "") or headers.get("x-amz-bucket-region", ""),
        retry_after=float(wait) if wait.isdecimal() else None,
    )
    return s3_faults.refused(call, reply)


def _not_sent(call: Call, error: Exception) -> faults.Misconfigured:
    match error:
        case exceptions.ProfileNotFound():
            return NoKeys(f"there is no {call.identity} in the AWS configuration")
        case exceptions.PartialCredentialsError():
            return NoKeys(f"the credentials are incomplete ({call.identity})")
        case exceptions.NoCredentialsError():
            return NoKeys(f"there are no credentials ({call.identity})")
        case exceptions.ParamValidationError():
            bucket = words.clean(call.place.bucket)
            why = f"{bucket!r} is no name a bucket can have. Check destinationPath"
        case ValueError() if "endpoint" in str(error).lower():
            why = (
                f"{call.endpoint!r} is no URL of a store. endpointURL begins with https:// and holds "
                "host and port only"
            )
        case _:
            why = f"the AWS library gave up ({type(error).__name__}, {call.identity})"
    return faults.Misconfigured(f"cannot {call}: {why}")
