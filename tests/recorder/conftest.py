"""Cameras for rooms: small pictures, a key frame every 0.4 s, clips kept in pytest's cache folder between runs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from shilu.cameras.clock import SystemClock
from shilu.cameras.config import CameraSpec
from shilu.cameras.host import CameraHost
from shilu.cameras.loop import LoopSource
from tests.recorder.edited import Edit, EditedSource

SMALL = {"width": 320, "height": 180, "kbps": 300, "key_interval": 10, "beep": True, "mode": "loop"}

Hosts = Callable[..., CameraHost]


@pytest.fixture(scope="session")
def clip_cache(pytestconfig: pytest.Config) -> Path:
    return pytestconfig.cache.mkdir("camera-clips")


@pytest.fixture(scope="module")
def hosts(clip_cache: Path) -> Iterator[Hosts]:
    """Start a host with cameras by path, each described by keywords of `CameraSpec` beside `SMALL`; `edits` change what
    a camera sends. Keywords of `CameraHost` are keywords here. It serves until the module's last test."""
    with ExitStack() as stack:

        def start(
            cameras: dict[str, dict[str, Any]], *, edits: dict[str, Edit] | None = None, **options: Any
        ) -> CameraHost:
            built = [
                CameraSpec.model_validate(SMALL | {"path": path} | fields).build(SystemClock(), clip_cache)
                for path, fields in cameras.items()
            ]
            for camera in built:
                if edit := (edits or {}).get(camera.path):
                    assert isinstance(camera.source, LoopSource)
                    camera.source = EditedSource(camera.source, edit)
            return stack.enter_context(CameraHost(built, **options))

        yield start
