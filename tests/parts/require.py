"""Finds a real part on this machine, or skips the test with one line that says how to get it.

With SHILU_TEST_REQUIRE=all in the environment, as in CI, a missing part fails the test instead.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ALL_PARTS = "as root on Debian 12: bash .ci/run parts"
SYSTEM_PYTHON = Path("/usr/bin/python3")


@dataclass(frozen=True, slots=True)
class Part:
    find: Callable[[], Path | None]
    how_to_get: str


def require(name: str, *, parts: Mapping[str, Part] | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the part is: a program, a folder of programs or a file, as its entry in PARTS says."""
    part = (PARTS if parts is None else parts)[name]
    path = part.find()
    if path is not None:
        return path
    message = f"{name} is not on this machine; to get it: {part.how_to_get}"
    if environment.get("SHILU_TEST_REQUIRE") == "all":
        pytest.fail(message, pytrace=False)
    pytest.skip(message, allow_module_level=True)


def cache_folder() -> Path:
    """Where `.ci/run` keeps what it builds; outside of the checkout, so that a fresh clone finds it again."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("SHILU_CACHE") or base / "shilu")


def _program(name: str) -> Callable[[], Path | None]:
    def find() -> Path | None:
        found = shutil.which(name) or shutil.which(name, path=str(cache_folder() / "bin"))
        return Path(found) if found else None

    return find


def _postgres_programs() -> Path | None:
    """The folder that holds `initdb` and `postgres`; Debian keeps them out of PATH, a folder for each major version."""
    # Of a link in PATH the folder behind it is wanted, where the other programs of the same version are.
    on_path = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    by_version = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    folders = [*on_path, *reversed(by_version)]
    return next(
        (folder for folder in folders if all((folder / name).is_file() for name in ["initdb", "postgres"])), None
    )


@cache
def _rtsp_server() -> Path | None:
    """Debian's Python with the bindings of GStreamer's RTSP server; the bindings are not in any virtual environment."""
    if not SYSTEM_PYTHON.is_file():
        return None
    code = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    tried = subprocess.run([SYSTEM_PYTHON, "-c", code], capture_output=True)
    return SYSTEM_PYTHON if tried.returncode == 0 else None


def _compose_schema() -> Path | None:
    path = cache_folder() / "share" / "compose-spec.json"
    return path if path.is_file() else None


PARTS: Mapping[str, Part] = {
    "bwrap": Part(_program("bwrap"), f"apt-get install bubblewrap, or {ALL_PARTS}"),
    "compose-schema": Part(_compose_schema, ALL_PARTS),
    "curl": Part(_program("curl"), f"apt-get install curl, or {ALL_PARTS}"),
    "faketime": Part(_program("faketime"), f"apt-get install faketime, or {ALL_PARTS}"),
    "ffmpeg": Part(_program("ffmpeg"), f"apt-get install ffmpeg, or {ALL_PARTS}"),
    "ffprobe": Part(_program("ffprobe"), f"apt-get install ffmpeg, or {ALL_PARTS}"),
    "minio": Part(_program("minio"), f"put a MinIO server in PATH, or {ALL_PARTS}"),
    "openssl": Part(_program("openssl"), f"apt-get install openssl, or {ALL_PARTS}"),
    "postgres": Part(_postgres_programs, f"apt-get install postgresql, or {ALL_PARTS}"),
    "rtsp-server": Part(_rtsp_server, ALL_PARTS),
    "strace": Part(_program("strace"), f"apt-get install strace, or {ALL_PARTS}"),
}
