"""Films for the cameras, a centre that is taken down whatever happens."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from shilu.cameras.clip import make_clip
from shilu.cameras.clip_file import write_mov
from shilu.cameras.media import AudioCodec
from shilu.cameras.spec import MediaSpec
from tests.integration.centre import Centre, RtspServer
from tests.integration.longfilm import LongFilm

CLIP_SECONDS = 8
FILM_SECONDS = 360
Cameras = Callable[[Mapping[str, Path]], RtspServer]
Centres = Callable[..., Centre]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long recording is begun by the first test of the whole run and looked at by the last."""
    order = {"test_five_minutes_begin": -1, "test_five_minutes_in_step": 1}
    items.sort(key=lambda item: order.get(item.name, 0))


@pytest.fixture(scope="session")
def film(pytestconfig: pytest.Config) -> Callable[[AudioCodec | None, int], Path]:
    """A QuickTime file with this sound and so many seconds: a flash and a beep at each whole second."""
    folder = pytestconfig.cache.mkdir("films")

    def make(audio: AudioCodec | None, seconds: int) -> Path:
        path = Path(folder) / f"{audio.value if audio else 'none'}-{seconds}.mov"
        if not path.exists():
            spec = MediaSpec(width=320, height=180, kbps=400, audio=audio, beep=audio is not None)
            draft = path.with_name(f"draft-{path.name}")
            write_mov(make_clip(spec, CLIP_SECONDS, Path(folder)), draft, seconds)
            draft.rename(path)
        return path

    return make


@pytest.fixture(scope="session")
def long_film(
    tmp_path_factory: pytest.TempPathFactory, film: Callable[[AudioCodec | None, int], Path]
) -> Iterator[LongFilm]:
    films = {"subject": film(AudioCodec.AAC, FILM_SECONDS), "room": film(None, FILM_SECONDS)}
    running = LongFilm(tmp_path_factory.mktemp("long-film"), films)
    yield running
    running.end()


@pytest.fixture
def cameras() -> Iterator[Cameras]:
    with ExitStack() as stack:
        yield lambda mounts: stack.enter_context(RtspServer(mounts))


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centres]:
    with ExitStack() as stack:

        def make(*init: object, **options: Any) -> Centre:
            made = Centre.make(tmp_path / "site", *init, **options)
            stack.callback(made.stop_recorder)
            return made

        yield make
