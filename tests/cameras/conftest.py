"""Cameras for tests: small pictures, a key frame every 0.2 s, clips kept in pytest's cache folder between runs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from shilu.cameras.clock import SystemClock
from shilu.cameras.config import CameraSpec
from shilu.cameras.host import CameraHost

SMALL = {"width": 320, "height": 180, "kbps": 300, "key_interval": 5, "beep": True, "mode": "loop"}

Hosts = Callable[..., CameraHost]


@pytest.fixture(scope="session")
def clip_cache(pytestconfig: pytest.Config) -> Path:
    return pytestconfig.cache.mkdir("camera-clips")


@pytest.fixture
def hosted(clip_cache: Path) -> Iterator[Hosts]:
    """Start a host with one camera at `cam`, described by keywords of `CameraSpec` beside `SMALL`; keywords of
    `CameraHost` go in `options`."""
    with ExitStack() as stack:

        def start(options: dict[str, Any] | None = None, **fields: Any) -> CameraHost:
            spec = CameraSpec.model_validate(SMALL | {"path": "cam"} | fields)
            return stack.enter_context(CameraHost([spec.build(SystemClock(), clip_cache)], **(options or {})))

        yield start
