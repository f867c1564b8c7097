"""A feed against a server that does everything a server may do, and a few things it may not.

The cases are those of Kubernetes' watch conformance test and of client-go's reflector tests,
restated; after each the table that was told equals what the server has.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from tests.live.feeding import QUICK, Told, feed
from tests.wire.conftest import config
from tests.wire.scripted import (
    Handler,
    Script,
    Then,
    added,
    answer,
    backup,
    bookmark,
    deleted,
    error,
    modified,
    slowly,
    status,
    stream,
)
from tui.cnpg.manifest import Manifest, Unreadable
from tui.live.changes import (
    Absent,
    Forbidden,
    Live,
    Polling,
    Reconnecting,
    Seen,
    SignedOut,
    Starting,
)
from tui.live.feeds import Feed
from tui.wire.kube import Kube

Start = Callable[[Feed], asyncio.Task[None]]


class Widest(Random):
    """Draws the longest wait, and remembers the spans it was asked to draw from."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        self.spans.append((a, b))
        return b


@pytest.fixture
def told() -> Told:
    return Told()


async def test_adding_changing_and_deleting_are_told(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 5))
    script.next("watch", stream(added("b", 6), modified("a", 7), deleted("b", 8), Then.SILENCE))
    running(feed(kube, told))
    await told.until(lambda: told.table == {"a": "7"})
    assert told.events[-3:] == [("ADDED", "b", "6"), ("MODIFIED", "a", "7"), ("DELETED", "b", "8")]
    assert script.queries("watch")[0]["resourceVersion"] == "5"
    assert isinstance(told.state, Live)


async def test_the_first_rows_are_told_before_the_list_is_complete(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 3))
    first = script.listed()
    first["metadata"]["continue"] = "more"
    script.has(backup("a", 3), backup("b", 4))
    script.next("list", answer(200, first), stream(Then.SILENCE))
    running(feed(kube, told))
    await told.until(lambda: told.table == {"a": "3"})
    assert told.lists == []
    assert told.changes[-1].state == Starting(loaded=1)  # type: ignore[union-attr]


async def test_a_list_that_breaks_off_tells_no_row_twice(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 3))
    first = script.listed()
    first["metadata"]["continue"] = "more"
    script.has(backup("a", 3), backup("b", 4))
    script.next("list", answer(200, first), stream(b'{"items":', Then.CUT))
    running(feed(kube, told))
    await told.until(lambda: bool(told.lists))
    assert told.events == [("ADDED", "a", "3"), ("ADDED", "b", "4")]
    assert told.table == script.versions


@pytest.mark.parametrize("end", [(Then.CUT,), (b'{"type":"MODI', Then.CUT), ()])
async def test_a_watch_goes_on_where_it_ended(
    script: Script, kube: Kube, told: Told, running: Start, end: tuple[Any, ...]
) -> None:
    script.has(backup("a", 5))
    script.next("watch", stream(modified("a", 6), *end), stream(modified("a", 7), Then.SILENCE))
    running(feed(kube, told))
    await told.until(lambda: told.table == {"a": "7"})
    assert [query["resourceVersion"] for query in script.queries("watch")] == ["5", "6"]
    assert len(script.queries("list")) == 1
    assert [type(state) for state in told.states] == [Live], "a healed cut moves nothing on screen"


async def test_a_bookmark_moves_the_place_to_go_on_from(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 5))
    script.next("watch", stream(bookmark(90), Then.CUT), stream(modified("a", 91), Then.SILENCE))
    running(feed(kube, told))
    await told.until(lambda: told.table == {"a": "91"})
    assert script.queries("watch")[1]["resourceVersion"] == "90"


@pytest.mark.parametrize(
    "lost",
    [
        answer(410, status(410, "Expired", "too old resource version: 5 (9)")),
        stream(error(410, "Expired", "too old resource version: 5 (9)")),
        stream(modified("a", 6), error(410, "Gone")),
    ],
)
async def test_a_forgotten_place_is_answered_with_a_new_list(
    script: Script, kube: Kube, told: Told, running: Start, lost: Handler
) -> None:
    script.has(backup("a", 5), backup("gone", 4))
    script.next("list", answer(200, script.listed()))
    script.next("watch", lost)
    script.has(backup("a", 8), backup("new", 9))
    running(feed(kube, told))
    await told.until(lambda: len(script.queries("watch")) == 2)
    assert told.table == script.versions
    assert script.queries("watch")[1]["resourceVersion"] == "9"
    assert len(told.lists) == 2
    assert not any(isinstance(state, Reconnecting) for state in told.states), "it is no trouble"


async def test_a_list_whose_token_expired_is_begun_again(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 3))
    first = script.listed()
    first["metadata"]["continue"] = "more"
    script.next("list", answer(200, first), answer(410, status(410, "Expired")))
    script.has(backup("b", 9))
    running(feed(kube, told))
    await told.until(lambda: bool(told.lists))
    assert told.table == script.versions == {"b": "9"}


@pytest.mark.parametrize(
    "trouble",
    [
        answer(500, status(500, "InternalError", "etcdserver: leader changed")),
        answer(502, "<html>Bad gateway</html>", content_type="text/html"),
        answer(200, "<html>Sign in</html>", content_type="text/html"),
        answer(200, '{"metadata":{"resourceVersion":"5"},"items":[{"metad'),
        answer(400, status(400, "BadRequest", "no")),
        stream(b"{", Then.CUT),
        stream(Then.CUT),
    ],
)
@pytest.mark.parametrize("verb", ["list", "watch"])
async def test_an_answer_that_is_none_is_asked_again(
    script: Script, kube: Kube, told: Told, running: Start, verb: str, trouble: Handler
) -> None:
    script.has(backup("a", 5))
    script.next(verb, trouble, trouble, trouble)
    running(feed(kube, told))
    await told.until(lambda: len(script.queries(verb)) >= 4 and isinstance(told.state, Live))
    assert told.table == script.versions
    reconnecting = [state for state in told.states if isinstance(state, Reconnecting)]
    assert reconnecting
    assert all(f"cannot {verb} backups in prod" in state.why for state in reconnecting)
    assert (reconnecting[0].heard is None) == (verb == "list")


async def test_a_watch_that_keeps_failing_is_answered_with_a_new_list(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 50))
    script.next("list", answer(200, script.listed()))
    too_large = answer(504, status(504, "Timeout", "Too large resource version: 50, current: 9"))
    script.next("watch", too_large, too_large)
    script.version = 1
    script.has(backup("a", 9))  # the server's past was restored from a copy
    running(feed(kube, told))
    await told.until(lambda: len(script.queries("watch")) == 3)
    assert told.table == {"a": "9"}
    assert script.queries("watch")[2]["resourceVersion"] == "9"


async def test_retry_after_is_obeyed(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 5))
    script.next("list", answer(429, status(429, "TooManyRequests"), headers={"Retry-After": "1"}))
    begun = time.monotonic()
    running(feed(kube, told))
    await told.until(lambda: isinstance(told.state, Live))
    assert time.monotonic() - begun >= 1
    assert len(script.queries("list")) == 2
    assert told.table == script.versions


async def test_a_half_open_watch_is_left_and_nothing_is_lost(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 5))
    script.next(
        "watch", stream(modified("a", 6), Then.SILENCE), stream(modified("a", 7), Then.SILENCE)
    )
    running(feed(kube, told, replace(QUICK, silence=0.3)))
    await told.until(lambda: told.table == {"a": "7"})
    assert script.queries("watch")[1]["resourceVersion"] == "6"
    assert len(script.queries("list")) == 1


async def test_a_watch_that_is_not_accepted_in_time_is_asked_for_anew(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    async def never(_: object) -> Any:
        await asyncio.Event().wait()

    script.has(backup("a", 5))
    script.next("watch", never, stream(modified("a", 6), Then.SILENCE))
    running(feed(kube, told, replace(QUICK, answer=0.3)))
    await told.until(lambda: told.table == {"a": "6"})
    assert any(
        isinstance(state, Reconnecting) and "the server has not answered" in state.why
        for state in told.states
    )
    assert len(script.queries("list")) == 1


async def test_a_watch_that_is_doubted_is_opened_anew_where_it_stands(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 5))
    script.next(
        "watch", stream(modified("a", 6), Then.SILENCE), stream(modified("a", 7), Then.SILENCE)
    )
    feed_ = feed(kube, told)
    feed_.doubt()  # while nothing is open there is nothing to doubt
    running(feed_)
    await told.until(lambda: told.table == {"a": "6"})
    feed_.doubt()
    await told.until(lambda: told.table == {"a": "7"})
    assert script.queries("watch")[1]["resourceVersion"] == "6"
    assert len(script.queries("list")) == 1
    assert all(isinstance(state, Live) for state in told.states)


async def test_a_body_that_dribbles_is_read_to_its_end(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(*(backup(f"b{number}", number) for number in range(3, 60)))
    script.next("list", slowly(script.listed(), pieces=20, pause=0.03))
    running(feed(kube, told, replace(QUICK, answer=0.4)))
    await told.until(lambda: isinstance(told.state, Live))
    assert told.table == script.versions
    assert len(script.queries("list")) == 1


async def test_the_user_is_told_when_the_server_takes_long(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.next("list", stream(1.0))
    running(feed(kube, told, replace(QUICK, slow=0.05, answer=30.0)))
    await told.until(lambda: isinstance(told.state, Reconnecting))
    assert isinstance(told.state, Reconnecting)
    assert "has not answered" in told.state.why


async def test_an_event_told_twice_counts_once(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 5))
    lines = [added("b", 6), added("b", 6), modified("b", 7), modified("b", 7), deleted("b", 8)]
    script.next("watch", stream(*lines, deleted("b", 8), added("c", 9), Then.SILENCE))
    running(feed(kube, told))
    await told.until(lambda: "c" in told.table)
    assert told.events[1:] == [
        ("ADDED", "b", "6"),
        ("MODIFIED", "b", "7"),
        ("DELETED", "b", "8"),
        ("ADDED", "c", "9"),
    ]
    assert len(script.queries("list")) == 1


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([modified("a", 9), modified("a", 8)], id="an older state after a newer one"),
        pytest.param([deleted("a", 9), modified("a", 8)], id="a state of what is deleted"),
        pytest.param([added("b", 9), added("c", 8)], id="an object from before another"),
        pytest.param([bookmark(9), modified("a", 8)], id="a change from before a bookmark"),
    ],
)
async def test_events_out_of_order_are_not_believed(
    script: Script, kube: Kube, told: Told, running: Start, lines: list[Any]
) -> None:
    script.has(backup("a", 5))
    script.next("list", answer(200, script.listed()))
    script.next("watch", stream(*lines, Then.SILENCE))
    script.has(backup("a", 11), backup("d", 12))
    running(feed(kube, told))
    await told.until(lambda: len(told.lists) == 2 and isinstance(told.state, Live))
    assert told.table == script.versions
    assert len(set(told.events)) == len(told.events)


async def test_versions_that_are_no_numbers_are_only_compared_for_equality(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    def opaque(line: dict[str, Any], version: str) -> dict[str, Any]:
        line["object"]["metadata"]["resourceVersion"] = version
        return line

    script.has(backup("a", 5))
    lines = [opaque(modified("a", 0), version) for version in ("zz", "zz", "aa")]
    script.next("watch", stream(*lines, Then.CUT))
    running(feed(kube, told))
    await told.until(lambda: len(script.queries("watch")) == 2)
    assert told.events[1:] == [("MODIFIED", "a", "zz"), ("MODIFIED", "a", "aa")]
    assert script.queries("watch")[1]["resourceVersion"] == "aa"


async def test_leaving_the_selection_is_a_deletion(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 5), backup("b", 4))
    # The server tells the last state inside, under the version that led outside.
    script.next("watch", stream(deleted("a", 6), Then.SILENCE))
    running(feed(kube, told))
    await told.until(lambda: told.table == {"b": "4"})


async def test_the_deletion_of_something_unknown_is_nothing(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 5))
    script.next("watch", stream(deleted("x", 6), modified("a", 7), Then.SILENCE))
    running(feed(kube, told))
    await told.until(lambda: told.table == {"a": "7"})
    assert told.events == [("ADDED", "a", "5"), ("MODIFIED", "a", "7")]


async def test_events_that_come_together_are_told_together(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 5))
    script.next(
        "watch", stream(*(modified("a", version) for version in range(6, 16)), Then.SILENCE)
    )
    running(feed(kube, told, replace(QUICK, batch=0.2)))
    await told.until(lambda: told.table == {"a": "15"})
    listed, *heard = [len(one.events) for one in told.changes if isinstance(one, Seen)]
    assert (listed, sum(heard)) == (1, 10)
    assert len(heard) <= 2, "what came at once, and the rest after a moment"


async def test_a_live_feed_is_quiet_about_being_live(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 5))
    parts = [part for version in range(6, 26) for part in (modified("a", version), 0.01)]
    script.next("watch", stream(*parts, Then.SILENCE))
    running(feed(kube, told))
    await told.until(lambda: told.table == {"a": "25"})
    assert len(told.states) == 1


async def test_a_live_feed_says_when_it_was_last_heard(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.next("watch", stream(0.06, bookmark(6), 0.06, bookmark(7), Then.SILENCE))
    running(feed(kube, told, replace(QUICK, heard=0.05)))
    await told.until(lambda: len(told.states) == 3)
    heard = [state.heard for state in told.states if isinstance(state, Live)]
    assert heard == sorted(set(heard))


async def test_an_odd_object_is_shown_and_hides_no_other(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    odd = backup("odd", 6)
    odd["spec"] = "a text"
    script.has(backup("a", 5), odd)
    broken = modified("a", 8)
    broken["object"]["status"] = []
    script.next("watch", stream(modified("odd", 7), broken, Then.SILENCE))
    running(feed(kube, told))
    await told.until(lambda: told.table == {"a": "8", "odd": "7"})
    listed = told.lists[0].subjects
    assert [type(one) for one in listed].count(Unreadable) == 1
    assert isinstance(listed[1], Unreadable)
    assert "is a text, not an object" in listed[1].why


@pytest.mark.parametrize("item", [None, {}, {"metadata": 3}, {"metadata": {"name": 3}}])
async def test_an_item_without_a_name_is_a_row_as_well(
    script: Script, kube: Kube, told: Told, running: Start, item: Any
) -> None:
    script.next("list", answer(200, {"metadata": {"resourceVersion": "5"}, "items": [item]}))
    running(feed(kube, told))
    await told.until(lambda: bool(told.lists))
    assert [one.key.name for one in told.lists[0].subjects] == ["(no name)"]


async def test_an_error_of_ours_in_reading_is_shown_as_such(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    def read(source: Manifest) -> Any:
        raise KeyError(source["metadata"]["name"])

    script.has(backup("a", 5))
    one = feed(kube, told)
    one._read = read
    running(one)
    await told.until(lambda: isinstance(told.state, Live))
    unreadable = told.lists[0].subjects[0]
    assert isinstance(unreadable, Unreadable)
    assert "cnpg-tui cannot read it (KeyError" in unreadable.why


async def test_an_error_of_ours_in_the_feed_does_not_end_it(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    class Broken(Kube):
        broken = True

        async def list(self, *args: Any, **options: Any) -> AsyncGenerator[Any, None]:
            if self.broken:
                self.broken = False
                raise ZeroDivisionError
            async for page in super().list(*args, **options):
                yield page

    script.has(backup("a", 5))
    source = Broken(kube._access, kube._where)
    running(feed(source, told))
    await told.until(lambda: isinstance(told.state, Live))
    assert told.table == script.versions
    assert any("ZeroDivisionError" in getattr(state, "why", "") for state in told.states)
    await source.close()


@pytest.mark.parametrize("by_hand", [True, False])
async def test_signing_in_is_tried_once_and_then_on_request_or_with_other_credentials(
    script: Script,
    opened: Callable[..., Awaitable[Kube]],
    told: Told,
    running: Start,
    by_hand: bool,
) -> None:
    refused = answer(401, status(401, "Unauthorized"))
    script.has(backup("a", 5))
    script.next("list", refused, refused)
    kube = await opened(config(script.url, user={"token": "old"}))
    one = feed(kube, told)
    running(one)
    await told.until(lambda: isinstance(told.state, SignedOut))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(script.received(3), 0.3)
    if by_hand:
        one.retry()  # the server admits them by now
    else:
        await opened(config(script.url, user={"token": "new"}))  # the user signed in again
    await told.until(lambda: isinstance(told.state, Live))
    tokens = [request.headers["Authorization"] for request in script.requests]
    last = "Bearer old" if by_hand else "Bearer new"
    assert tokens == ["Bearer old", "Bearer old", last, last]
    assert told.table == script.versions


async def test_credentials_renewed_in_time_go_unnoticed(
    script: Script, opened: Callable[..., Awaitable[Kube]], told: Told, running: Start
) -> None:
    script.has(backup("a", 5))
    kube = await opened(config(script.url, user={"token": "old"}))
    await opened(config(script.url, user={"token": "new"}))
    refused = answer(401, status(401, "Unauthorized"))
    script.next("watch", stream(modified("a", 6)), refused, stream(modified("a", 7)), refused)
    running(feed(kube, told))
    await told.until(lambda: len(script.queries("watch")) >= 5)
    assert [type(state) for state in told.states] == [Live]
    assert told.table == {"a": "7"}
    assert len(script.queries("list")) == 1


async def test_without_the_right_to_watch_the_list_is_polled(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 5))
    script.next("watch", answer(403, status(403, "Forbidden")))
    one = feed(kube, told)
    running(one)
    await told.until(lambda: isinstance(told.state, Polling))
    assert isinstance(told.state, Polling)
    assert "Ask for watch on backups.postgresql.cnpg.io" in told.state.why
    script.has(backup("a", 6), backup("b", 7))
    await told.until(lambda: told.table == script.versions)
    assert len(script.queries("watch")) == 1
    one.retry()
    await told.until(lambda: isinstance(told.state, Live))


@pytest.mark.parametrize("permitted_before", [True, False])
async def test_a_watch_that_is_refused_is_asked_for_again(
    script: Script, kube: Kube, told: Told, running: Start, permitted_before: bool
) -> None:
    """An API server that has just started refuses everybody until it has read the Roles."""
    refusal = answer(403, status(403, "Forbidden"))
    script.has(backup("a", 5))
    before = [stream(modified("a", 6))] if permitted_before else []
    script.next("watch", *before, refusal, stream(modified("a", 7), Then.SILENCE))
    patience = replace(QUICK, rarely=3600 if permitted_before else 0.05)
    running(feed(kube, told, patience))
    await told.until(lambda: any(isinstance(state, Polling) for state in told.states))
    await told.until(lambda: told.table == {"a": "7"} and isinstance(told.state, Live))


async def test_without_the_right_to_list_the_missing_right_is_said(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 5))
    script.next("list", answer(403, status(403, "Forbidden")))
    running(feed(kube, told, replace(QUICK, rarely=0.3)))
    await told.until(lambda: isinstance(told.state, Forbidden))
    assert isinstance(told.state, Forbidden)
    assert told.state.why == (
        "cannot list backups in prod: forbidden. Ask for list on backups.postgresql.cnpg.io"
    )
    await told.until(lambda: told.table == script.versions)  # the right was given


async def test_without_the_crd_it_is_said_and_looked_for_again(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    absent = answer(404, "404 page not found\n", content_type="text/plain")
    script.has(backup("a", 5))
    script.next("list", absent, absent)
    running(feed(kube, told))
    await told.until(lambda: isinstance(told.state, Live))
    assert [type(state) for state in told.states] == [Absent, Live]
    assert told.table == script.versions


async def test_what_goes_with_its_crd_is_gone(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    absent = answer(404, "404 page not found\n", content_type="text/plain")
    script.has(backup("a", 5))
    script.next("list", answer(200, script.listed()), *[absent] * 50)
    script.next("watch", stream(modified("a", 6)), absent)
    running(feed(kube, told))
    await told.until(lambda: isinstance(told.state, Absent))
    assert told.table == {}


async def test_a_server_that_is_down_is_said_and_found_when_it_is_up(
    kube: Kube, script: Script, told: Told, running: Start
) -> None:
    await script.stop()
    port = int(script.url.rsplit(":", 1)[1])
    running(feed(kube, told))
    await told.until(lambda: isinstance(told.state, Reconnecting))
    assert isinstance(told.state, Reconnecting)
    assert told.state.heard is None
    assert told.state.why == (
        f"cannot list backups in prod: cannot connect to {script.url}: connection refused"
    )
    script.has(backup("a", 5))
    await script.start(port=port)
    await told.until(lambda: told.table == script.versions)


async def test_what_was_known_stays_while_the_server_is_away(
    kube: Kube, script: Script, told: Told, running: Start
) -> None:
    script.has(backup("a", 5))
    running(feed(kube, told))
    await told.until(lambda: isinstance(told.state, Live))
    await script.stop()
    await told.until(lambda: isinstance(told.state, Reconnecting))
    assert isinstance(told.state, Reconnecting)
    assert told.state.heard is not None
    assert told.table == {"a": "5"}


async def test_waits_grow_and_are_drawn_from_the_whole_span(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    trouble = answer(503, "", content_type="text/plain")
    script.next("list", *[trouble] * 6)
    chance = Widest()
    running(feed(kube, told, replace(QUICK, least=0.01, most=0.05), random=chance))
    await told.until(lambda: isinstance(told.state, Live))
    waits = [span for span in chance.spans if span[0] == 0]
    assert waits == [(0, 0.01), (0, 0.02), (0, 0.04), (0, 0.05), (0, 0.05), (0, 0.05)]


async def test_a_server_that_ends_every_watch_at_once_is_not_hammered(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.next("watch", *[stream()] * 5)
    chance = Widest()
    running(feed(kube, told, replace(QUICK, least=0.01, most=0.05), random=chance))
    await told.until(lambda: len(script.queries("watch")) == 6)
    waits = [span for span in chance.spans if span[0] == 0]
    assert waits == [(0, 0.01), (0, 0.02), (0, 0.04), (0, 0.05), (0, 0.05)]


async def test_a_wait_ends_when_the_user_asks(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.has(backup("a", 5))
    script.next("list", answer(503, "", content_type="text/plain"))
    one = feed(kube, told, replace(QUICK, least=1000, most=1000), random=Widest())
    running(one)
    await told.until(lambda: isinstance(told.state, Reconnecting))
    assert isinstance(told.state, Reconnecting)
    assert told.state.retry_at > datetime.now(UTC) + timedelta(seconds=900)
    one.retry()
    await told.until(lambda: isinstance(told.state, Live))
    assert told.table == script.versions


async def test_the_server_is_asked_to_end_a_watch_after_a_random_time(
    script: Script, kube: Kube, told: Told, running: Start
) -> None:
    script.next("watch", *[stream(bookmark(version)) for version in range(6, 16)])
    running(feed(kube, told))
    await told.until(lambda: len(script.queries("watch")) == 11)
    asked = {int(query["timeoutSeconds"]) for query in script.queries("watch")}
    assert len(asked) > 5
    assert min(asked) >= 300
    assert max(asked) <= 600
