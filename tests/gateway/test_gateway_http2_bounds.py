"""HTTP/2 at the gateway's door: heads that are no calls, floods, resets and stalls are bounded."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from hyperframe.frame import HeadersFrame
from tls_door_kit import LARGE, LIMITS, Door, goodbye, settled, statuses

REFUSED_HEADS: list[tuple[str, tuple[tuple[str, str], ...], str]] = [
    ("/ok", (("x-long", "v" * 5000),), "431"),
    ("/ok", tuple((f"x-{n}", "v") for n in range(40)), "431"),
    ("/" + "p" * 5000, (), "431"),
    ("*", (), "400"),
    ("ok", (), "400"),
    ("https://elsewhere/ok", (), "400"),
    ("/with space", (), "400"),
    ("/ok#fragment", (), "400"),
    ("/caf\u00e9", (), "400"),
]


@pytest.mark.parametrize(("path", "headers", "status"), REFUSED_HEADS)
async def test_head_that_is_no_calls_is_answered_and_the_connection_lives(
    door: Door, path: str, headers: tuple[tuple[str, str], ...], status: str
) -> None:
    async with door.raw() as raw:
        raw.ask(path, *headers, ends=False)
        raw.ask("/ok")
        await raw.flush()
        events = await raw.read()
    assert sorted(statuses(events)) == sorted([status, "200"])
    assert [call["path"] for call in door.behind.calls] == ["/ok"]
    reason = {"431": "HeadersTooLarge", "400": "TargetInvalid"}[status]
    assert door.behind.refusals == [(reason, "127.0.0.1")]
    body = b"".join(each.data for each in events if isinstance(each, h2.events.DataReceived))
    assert b'"malformed_request"' in body


SMUGGLED: list[tuple[tuple[str, str], ...]] = [
    (("transfer-encoding", "chunked"),),
    (("connection", "close"),),
    (("content-length", "3"), ("content-length", "5")),
    (("content-length", "-1"),),
    (("x-split", "a\r\nhost: b"),),
    (("x-nul", "a\0b"),),
    (("Upper", "a"),),
    (("na me", "a"),),
    (("host", "other"),),
    ((":path", "/second"),),
    (("te", "gzip"),),
]


@pytest.mark.parametrize("headers", SMUGGLED)
async def test_head_that_two_parsers_could_read_differently_never_becomes_a_call(
    door: Door, headers: tuple[tuple[str, str], ...]
) -> None:
    async with door.raw() as raw:
        raw.ask("/ok", *headers)
        await raw.flush()
        events = await raw.read()
    assert statuses(events) in ([], ["400"])
    assert door.behind.calls == []


async def test_body_of_another_length_than_declared_never_counts_as_whole(door: Door) -> None:
    async with door.raw() as raw:
        raw.h2.config.validate_outbound_headers = False
        number = raw.ask("/ok", ("content-length", "10"), ends=False)
        raw.h2.send_data(number, b"abc", end_stream=True)
        await raw.flush()
        events = await raw.read()
    assert statuses(events) == []
    assert door.behind.calls == []


async def test_streams_opened_and_reset_at_once_end_the_connection(door: Door) -> None:
    async with door.raw() as raw:
        for _ in range(200):
            number = raw.ask("/hang")
            raw.h2.reset_stream(number)
            await raw.flush()
        await raw.read(within=1.0)
        assert raw.closed
    assert await settled(door) == 0
    assert door.behind.begun <= LIMITS.resets + 2 * LIMITS.streams


@pytest.mark.parametrize("kind", ["ping", "settings", "empty data", "window"])
async def test_frames_that_ask_for_nothing_are_bounded(door: Door, kind: str) -> None:
    async with door.raw() as raw:
        number = raw.ask("/hang", ends=False)
        for count in range(200):
            match kind:
                case "ping":
                    raw.h2.ping(count.to_bytes(8, "big"))
                case "settings":
                    raw.h2.update_settings({h2.settings.SettingCodes.MAX_FRAME_SIZE: 16384 + count})
                case "empty data":
                    raw.h2.send_data(number, b"")
                case _:
                    raw.h2.increment_flow_control_window(1)
        await raw.flush()
        events = await raw.read(within=1.0)
    assert h2.errors.ErrorCodes.ENHANCE_YOUR_CALM in goodbye(events)
    assert await settled(door) == 0


async def test_header_block_that_never_ends_is_bounded(door: Door) -> None:
    async with door.raw() as raw:
        frame = HeadersFrame(1, raw.h2.encoder.encode([("x", "y")]))
        raw.writer.write(frame.serialize())
        piece = bytes([0, 0, 4, 9, 0, 0, 0, 0, 1]) + b"\x00\x01a\x00"
        raw.writer.write(piece * 200)
        events = await raw.read(within=1.0)
    assert raw.closed
    assert statuses(events) == []
    assert door.behind.calls == []


async def test_more_calls_at_once_than_agreed_are_never_run(door: Door) -> None:
    async with door.raw() as raw:
        await raw.read(within=0.1)
        agreed = raw.h2.remote_settings.max_concurrent_streams
        raw.h2.remote_settings = h2.settings.Settings(
            client=False,
            initial_values={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1000},
        )
        for _ in range(LIMITS.streams + 1):
            raw.ask("/hang")
        await raw.flush()
        await raw.read()
    assert agreed == LIMITS.streams
    assert door.behind.most <= LIMITS.streams


async def test_caller_that_resets_a_stream_is_seen_to_leave(door: Door) -> None:
    async with door.raw() as raw:
        number = raw.ask("/hang")
        await raw.flush()
        await raw.read(within=0.1)
        raw.h2.reset_stream(number)
        raw.ask("/ok")
        await raw.flush()
        events = await raw.read()
    assert door.behind.left == 1
    assert statuses(events) == ["200"]


async def test_answer_that_the_caller_does_not_take_is_cut_off(door: Door) -> None:
    async with door.raw() as raw:
        raw.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1000})
        await raw.flush()
        raw.ask("/large")
        await raw.flush()
        events = await raw.read(within=1.5)
    assert door.behind.broken == ["the caller does not take its answer"]
    taken = sum(len(each.data) for each in events if isinstance(each, h2.events.DataReceived))
    assert 0 < taken < LARGE


async def test_unread_body_takes_no_more_than_the_window(door: Door) -> None:
    async with door.raw() as raw:
        await raw.read(within=0.1)
        number = raw.ask("/lazy", ends=False)
        sent = 0
        while (room := raw.h2.local_flow_control_window(number)) > 0:
            size = min(room, 16_000)
            raw.h2.send_data(number, b"z" * size)
            sent += size
            await raw.flush()
            await raw.read(within=0.02)
        assert sent == LIMITS.stream_window
        door.behind.read_on.set()
        await raw.read(within=0.1)
        assert raw.h2.local_flow_control_window(number) > 0


async def test_answer_before_the_body_was_read_asks_for_no_more_of_it(door: Door) -> None:
    async with door.raw() as raw:
        for _ in range(20):
            number = raw.ask("/early", ends=False)
            raw.h2.send_data(number, b"z" * 16_000)
            await raw.flush()
            events = await raw.read(within=0.05)
            assert statuses(events) == ["200"]
            resets = [each for each in events if isinstance(each, h2.events.StreamReset)]
            assert [each.error_code for each in resets] == [h2.errors.ErrorCodes.NO_ERROR]
    # 320,000 bytes went through a connection window of 256 KiB: unread bytes were given back.


async def test_call_that_breaks_ends_its_stream_only(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    async with door.raw() as raw:
        raw.ask("/breaks")
        raw.ask("/ok")
        await raw.flush()
        events = await raw.read()
    resets = [each for each in events if isinstance(each, h2.events.StreamReset)]
    assert [each.error_code for each in resets] == [h2.errors.ErrorCodes.INTERNAL_ERROR]
    assert statuses(events) == ["200"]
    assert "broken on purpose" in caplog.text


async def test_connection_without_a_call_is_closed_after_a_while(door: Door) -> None:
    async with door.raw() as raw:
        events = await raw.read(within=2.0)
        assert raw.closed
    assert goodbye(events) == [h2.errors.ErrorCodes.NO_ERROR]


async def test_stop_lets_calls_end_and_takes_no_new_ones(door: Door) -> None:
    async with door.raw() as raw:
        raw.ask("/lazy")
        await raw.flush()
        await raw.read(within=0.1)
        door.server.should_exit = True
        told = await raw.read(within=0.4)
        assert goodbye(told) == [h2.errors.ErrorCodes.NO_ERROR]
        door.behind.read_on.set()
        data = b""
        with contextlib.suppress(TimeoutError, ssl.SSLError):
            async with asyncio.timeout(2.0):
                while piece := await raw.reader.read(65536):
                    data += piece
    assert b"ok" in data
    assert len(door.behind.calls) == 1
