"""What a client is sent over time; units are handed over as fast as they come, so that no test waits for a clock."""

import asyncio
import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import cast

from shilu.cameras.camera import Camera
from shilu.cameras.clip import make_clip
from shilu.cameras.loop import LoopSource
from shilu.cameras.media import MediaUnit, Track
from shilu.cameras.rtp_feed import REPORT_INTERVAL_US, RtpFeed
from shilu.cameras.spec import MediaSpec

FRAME_US = 40_000


class HeldClock:
    """Stands where it is put."""

    now_us = 5_000_000
    utc_at_zero_us = 1_790_000_000_000_000

    def monotonic_us(self) -> int:
        return self.now_us

    def utc_us(self) -> int:
        return self.utc_at_zero_us + self.now_us


class Wire:
    """The part of a transport that a feed uses; keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.backlog_bytes = 0
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return self.backlog_bytes

    def abort(self) -> None:
        self.aborted = True

    def reports(self) -> list[tuple[int, int]]:
        """Wall clock (microseconds of UTC, rounded to 10) and RTP timestamp of each sender report for the picture."""
        found = []
        for data in self.written:
            if data[:2] == b"$\x01":
                ntp, timestamp = struct.unpack_from(">QI", data, 12)
                found.append(
                    (round(((ntp >> 32) - 2_208_988_800) * 1e6 + (ntp & 0xFFFFFFFF) * 1e6 / 2**32, -1), timestamp)
                )
        return found


def play(clips: Path, work: Callable[[RtpFeed, Wire, HeldClock], None]) -> None:
    """Run `work` with a feed that has just begun to play the picture."""

    async def run() -> None:
        clock, wire = HeldClock(), Wire()
        clip = make_clip(MediaSpec(width=320, height=180, key_interval=10, audio=None), 2, clips)
        camera = Camera("cam", LoopSource(clip, clock), clock)
        feed = RtpFeed(camera, cast(asyncio.Transport, wire), 1000, Random(1))
        feed.set_up(Track.VIDEO, 0)
        feed.play()
        work(feed, wire, clock)
        feed.stop()

    asyncio.run(run())


def picture(clock: HeldClock, camera: Camera, keyframe: bool) -> MediaUnit:
    pts = camera.pts_at(Track.VIDEO, clock.now_us)
    return MediaUnit(Track.VIDEO, b"\0\0\0\1\x65abc", keyframe, pts, clock.now_us)


def test_reports_come_every_four_seconds_and_agree_with_each_other(clip_cache: Path) -> None:
    def work(feed: RtpFeed, wire: Wire, clock: HeldClock) -> None:
        for _ in range(13_000_000 // FRAME_US):
            feed.deliver(picture(clock, feed.camera, keyframe=True))
            clock.now_us += FRAME_US
        steps = [
            (later_us - earlier_us, later - earlier & 0xFFFFFFFF)
            for (earlier_us, earlier), (later_us, later) in pairwise(wire.reports())
        ]
        assert steps == [(REPORT_INTERVAL_US, REPORT_INTERVAL_US * 9 // 100)] * 3

    play(clip_cache, work)


def test_a_clock_stepped_while_playing_shows_in_the_next_report_only(clip_cache: Path) -> None:
    def work(feed: RtpFeed, wire: Wire, clock: HeldClock) -> None:
        feed.deliver(picture(clock, feed.camera, keyframe=True))
        feed.camera.faults.ntp_step_s = 30
        clock.now_us += REPORT_INTERVAL_US
        feed.deliver(picture(clock, feed.camera, keyframe=True))
        (first_us, first), (second_us, second) = wire.reports()
        assert second_us - first_us == REPORT_INTERVAL_US + 30_000_000
        assert second - first & 0xFFFFFFFF == REPORT_INTERVAL_US * 9 // 100

    play(clip_cache, work)


def test_nothing_is_sent_before_a_key_frame(clip_cache: Path) -> None:
    def work(feed: RtpFeed, wire: Wire, clock: HeldClock) -> None:
        feed.deliver(picture(clock, feed.camera, keyframe=False))
        assert not wire.written
        feed.deliver(picture(clock, feed.camera, keyframe=True))
        feed.deliver(picture(clock, feed.camera, keyframe=False))
        assert len(wire.written) == 3, "the report and two pictures"

    play(clip_cache, work)


def test_too_large_a_backlog_ends_the_connection(clip_cache: Path) -> None:
    def work(feed: RtpFeed, wire: Wire, clock: HeldClock) -> None:
        feed.deliver(picture(clock, feed.camera, keyframe=True))
        assert not wire.aborted
        wire.backlog_bytes = 1001
        feed.deliver(picture(clock, feed.camera, keyframe=False))
        assert wire.aborted

    play(clip_cache, work)
