"""Playing what was recorded with a decoder that is not ours, and measuring it."""

import io
import subprocess
from pathlib import Path
from typing import Any

import av

from tests.cameras.reading import Watched
from tests.parts.require import require


def play_whole(folder: Path, chain: list[dict[str, Any]], track: str) -> None:
    """Every segment plays by itself without an error; the segments of a run put end to end are one film, as long as
    the records say."""
    ffmpeg = require("ffmpeg")
    segments = [record for record in chain if record["type"] == "segment" and record["track"] == track]
    files = sorted(folder.glob("*.mp4"))
    assert len(files) == len(segments) > 0
    for file in files:
        errors = decode(ffmpeg, file.read_bytes())
        assert not errors, f"{file.name}: {errors}"
    for run in {record["run"] for record in segments}:
        own = [file for file, record in zip(files, segments, strict=True) if record["run"] == run]
        film = b"".join(file.read_bytes() for file in own)
        expected_s = (
            sum(fragment["duration_us"] for one in segments if one["run"] == run for fragment in one["fragments"]) / 1e6
        )
        assert abs(length_s(film) - expected_s) < 0.1


def decode(ffmpeg: Path, film: bytes) -> str:
    """What ffmpeg's decoder has to complain about."""
    done = subprocess.run(
        [ffmpeg, "-v", "error", "-xerror", "-i", "pipe:0", "-f", "null", "-"], input=film, capture_output=True
    )
    return done.stderr.decode() + ("" if done.returncode == 0 else f" exit {done.returncode}")


def length_s(film: bytes) -> float:
    """From the first picture to the end of the last, as a player counts it."""
    with av.open(io.BytesIO(film), "r") as container:
        times = [
            (float(packet.pts * packet.time_base), float(packet.duration * packet.time_base))
            for packet in container.demux(video=0)
            if packet.pts is not None and packet.duration is not None
        ]
    return max(start + length for start, length in times) - min(start for start, _ in times)


def watch_file(path: Path) -> Watched:
    """Pictures and sound of one segment, decoded."""
    with av.open(str(path)) as container:
        seen = Watched([stream.codec_context.name for stream in container.streams])
        for packet in container.demux():
            for frame in packet.decode():
                seen.take(frame)
    return seen
