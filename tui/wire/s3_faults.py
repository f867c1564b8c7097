"""What S3 stores refuse and how they fail, as faults with sentences.

Takes plain values; the library's errors are taken apart in ``wire.bucket``. Nothing here may ever be
read as an empty bucket, and no sentence holds a key: what a store says is quoted in part and cleaned,
for some stores repeat the request in their errors.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from tui import faults, words
from tui.cnpg.location import Place


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked: begins as in ``list s3://backups/pg``. ``action`` is the right it needs."""

    verb: str
    action: str
    place: Place
    key: str
    identity: str

    def __str__(self) -> str:
        return f"{self.verb} s3://{self.place.bucket}/{words.clean(self.key)} at {self.endpoint}"

    @property
    def endpoint(self) -> str:
        """Where the store is."""
        return printable(self.place.endpoint_url) or "AWS"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is no success: the store's code and words, as far as it gave any."""

    status: int
    code: str
    message: str
    region: str = ""
    """Where the bucket is, if the store says so."""
    retry_after: float | None = None


def refused(call: Call, reply: Reply) -> faults.Fault:
    """The fault for an answer."""
    if (told := _BY_CODE.get(reply.code)) is not None:
        family, sentence = told
    elif reply.status in _BY_STATUS:
        family, sentence = _BY_STATUS[reply.status]
    elif reply.status >= 500:
        family, sentence = faults.ServerError, "the store failed: {said}. It is asked again later"
    else:
        family, sentence = faults.Invalid, "the store refused it: {said}"
    text = sentence.format(
        action=call.action,
        bucket=call.place.bucket,
        endpoint=call.endpoint,
        identity=call.identity,
        region=words.clean(reply.region) or "another one",
        said=_said(reply),
    )
    return family(f"cannot {call}: {text}", code=reply.status, retry_after=reply.retry_after)


def odd(call: Call, status: int, body: bytes) -> faults.BadAnswer:
    """The fault for an answer with success in its status that is not what S3 says."""
    return faults.BadAnswer(f"cannot {call}: {_oddity(body)} (HTTP {status})")


def not_found_by_head(call: Call) -> faults.NotFound:
    """404 to a HEAD: the cause is lost, for it has no body."""
    sentence = f"cannot {call}: there is no such object, or no bucket {call.place.bucket}"
    return faults.NotFound(sentence, code=404)


def unreachable(call: Call, kind: str, text: str) -> faults.Fault:
    """The fault for no answer at all; ``kind`` is the library's name for what happened."""
    if kind in _UNREACHABLE:
        why = _UNREACHABLE[kind].format(endpoint=call.endpoint)
    elif kind == "EndpointConnectionError":
        why = _no_connection(call)
    elif kind == "SSLError":
        why = _tls(text)
    elif kind == "ProxyConnectionError":
        why = "the proxy of the environment (HTTPS_PROXY) does not let us through"
    else:
        why = f"{call.endpoint} gave no complete answer ({kind})"
    return faults.Unreachable(f"cannot {call}: {why}")


def redirected_for_ever(call: Call) -> faults.BadAnswer:
    """The store redirects to itself: botocore follows until Python's stack ends."""
    return faults.BadAnswer(
        f"cannot {call}: the store redirects without end. endpointURL may be that of another region "
        f"than the bucket's, or have the bucket's name in it"
    )


def printable(url: str) -> str:
    """A URL without user, password and query, fit for a sentence."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return words.clean(f"{parts.scheme}://{host}{parts.path}" if host else url)


_Family = type[faults.Refused]

_DENIED = (
    faults.Forbidden,
    "access denied ({identity}). Allow {action} on bucket {bucket} and its objects",
)
_NO_BUCKET = (
    faults.NotFound,
    (
        "there is no bucket {bucket} at {endpoint}. Check destinationPath and endpointURL; "
        "R2 buckets of a jurisdiction have a host of their own (<account>.eu.r2...)"
    ),
)
_KEYS = (
    faults.Unauthorized,
    (
        "the store does not know this access key ({identity}). It may have been revoked or belong to "
        "another account"
    ),
)
_SIGNATURE = (
    faults.Unauthorized,
    (
        "the secret key is wrong for this access key ({identity}). Look for a blank or a newline at its "
        "end"
    ),
)
_SLOW = (faults.TooMany, "the store asks us to slow down")
_SKEWED = (
    faults.Unauthorized,
    "this machine's clock is more than 15 minutes off the store's. Set the clock",
)
_EXPIRED = (faults.Unauthorized, "the session token has expired ({identity}). Renew it")
_REGION = (
    faults.Invalid,
    "the request was signed for the wrong region, the store expects {region}. Set the region",
)
_NOT_DONE = (faults.Invalid, "the store does not implement it: {said}")

_BY_CODE: dict[str, tuple[_Family, str]] = {
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "AccountProblem": _DENIED,
    "NoSuchBucket": _NO_BUCKET,
    "NoSuchKey": (faults.NotFound, "there is no such object"),
    "NoSuchLifecycleConfiguration": (faults.NotFound, "the bucket has no lifecycle rules"),
    "InvalidAccessKeyId": _KEYS,
    "Unauthorized": _KEYS,
    "SignatureDoesNotMatch": _SIGNATURE,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "InvalidToken": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestTimeTooSkewed": _SKEWED,
    "SlowDown": _SLOW,
    "TooManyRequests": _SLOW,
    "Throttling": _SLOW,
    "RequestLimitExceeded": _SLOW,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "PermanentRedirect": _REGION,
    "InvalidRegionName": _REGION,
    "NotImplemented": _NOT_DONE,
    "InvalidObjectState": (
        faults.Invalid,
        "the object lies in a cold storage class and must be restored first",
    ),
}

_BY_STATUS: dict[int, tuple[_Family, str]] = {
    301: _REGION,
    400: (
        faults.Invalid,
        "the store refused the request: {said}. If endpointURL begins with http://, try https://",
    ),
    401: _KEYS,
    # A HEAD's 403 has no body, so it may be wrong keys as well as missing rights.
    403: (
        faults.Forbidden,
        (
            "refused without a reason ({identity}): wrong keys, or {action} on bucket {bucket} is not "
            "allowed"
        ),
    ),
    404: (
        faults.NotFound,
        "nothing there speaks S3, or there is no bucket {bucket}. Check endpointURL {endpoint}",
    ),
    429: _SLOW,
    501: _NOT_DONE,
}

_UNREACHABLE = {
    "ConnectTimeoutError": "{endpoint} does not take the connection in time. Firewall, VPN, or down",
    "ReadTimeoutError": "{endpoint} does not answer in time",
    "ConnectionClosedError": "{endpoint} closed the connection without an answer. "
    "If endpointURL begins with http://, try https://",
    "ResponseStreamingError": "the answer broke off half way",
    "IncompleteReadError": "the answer broke off half way",
}


def _no_connection(call: Call) -> str:
    """Refused or unknown: the library says the same of both, so the name is looked up again."""
    host = urlsplit(call.place.endpoint_url).hostname
    if host is None:
        return f"no connection to {call.endpoint}"
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return f"the host name {words.clean(host)} is not known. Check endpointURL and the DNS"
    return f"{call.endpoint} refuses connections, or there is no way to it. Check host and port"


_TLS = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS. endpointURL may have to begin with http://",
    "self-signed": "its certificate is self-signed. Name its CA in endpointCA",
    "self signed": "its certificate is self-signed. Name its CA in endpointCA",
    "unable to get local issuer": "its certificate is of an unknown CA. Name the CA in endpointCA",
    "certificate has expired": "its certificate has expired",
    "Hostname mismatch": "its certificate is for another host name",
    "IP address mismatch": "its certificate is for another address",
    "NO_CERTIFICATE_OR_CRL_FOUND": "the CA given in endpointCA holds no certificate",
    "No such file": "the CA file named in the environment (AWS_CA_BUNDLE) is not there",
}


def _tls(text: str) -> str:
    said = next((why for mark, why in _TLS.items() if mark in text), None)
    if said is None:
        reason = re.search(r"\[SSL: ([A-Z_]+)\]|\b(CERTIFICATE_[A-Z_]+)", text)
        said = f"TLS failed ({reason[0].strip('[]') if reason else 'no reason given'})"
    return said


_TITLE = re.compile(rb"<title[^>]*>([^<]{1,80})", re.IGNORECASE)


def _oddity(body: bytes) -> str:
    start = body.lstrip()[:200].lower()
    if not start:
        return "the answer is empty, which S3 never says"
    if b"<!doctype html" in start or start.startswith(b"<html"):
        title = _TITLE.search(body[:4000])
        named = (
            f" titled {words.clean(title[1].decode('utf-8', 'replace').strip())!r}" if title else ""
        )
        return (
            f"a web page{named} came instead of S3's answer. Check endpointURL, or a proxy answers"
        )
    if start.startswith((b"{", b"[")):
        return "JSON came instead of S3's answer: some other API listens there. Check endpointURL"
    if b"<error" in start:
        return "an error came in the shape of a success. The store is asked again later"
    if b"<listbucketresult" in start or b"<list" in start:
        return "the answer breaks off or contradicts itself, so nothing of it is believed"
    return "something else than S3's answer came. Check endpointURL"


def _said(reply: Reply) -> str:
    text = words.one_line(words.clean(reply.message))[:160].rstrip(". ")
    code = words.clean(reply.code) if not reply.code.isdigit() else ""
    parts = [part for part in (code, text) if part]
    return ": ".join(parts) or f"HTTP {reply.status}"
