"""Descriptions of sets of cameras."""

import pytest
from pydantic import ValidationError

from shilu.cameras.config import CameraSet, CameraSpec, Mode, demo_cameras
from shilu.cameras.errors import SpecError
from shilu.cameras.host import CameraHost
from shilu.cameras.media import AudioCodec, VideoCodec
from shilu.cameras.spec import View
from tests.cameras.conftest import Hosts
from tests.cameras.reading import watch_all


def test_a_camera_in_words() -> None:
    camera = CameraSpec.from_words("room-1/subject,video=h265,audio=opus,width=1920,height=1080,mode=loop,beep=true")
    assert camera == CameraSpec(
        path="room-1/subject",
        video=VideoCodec.H265,
        audio=AudioCodec.OPUS,
        width=1920,
        height=1080,
        mode=Mode.LOOP,
        beep=True,
    )
    assert camera.name == "room-1/subject"
    assert CameraSpec.from_words("door,audio=none,name=Door").audio is None


@pytest.mark.parametrize("words", ["", "../etc", "cam,width=3", "cam,lens=wide", "cam,width=321"])
def test_a_wrong_description_is_refused(words: str) -> None:
    with pytest.raises(ValidationError):
        CameraSpec.from_words(words)


def test_a_word_without_value_is_refused() -> None:
    with pytest.raises(SpecError, match="FIELD=VALUE"):
        CameraSpec.from_words("cam,h265")


def test_a_set_in_json() -> None:
    wanted = CameraSet.model_validate_json('{"port": 8554, "cameras": [{"path": "a"}, {"path": "b", "fps": 15}]}')
    assert [camera.fps for camera in wanted.cameras] == [25, 15]


def test_cameras_that_differ_only_in_path_share_a_clip() -> None:
    one, other = (CameraSpec(path=path, name="same") for path in ("a", "b"))
    assert one.media() == other.media()


def test_the_demo_has_three_rooms_with_two_cameras() -> None:
    cameras = {camera.path: camera for camera in demo_cameras()}
    assert list(cameras) == [f"room-{number}/{view}" for number in (1, 2, 3) for view in View]
    assert [cameras[f"room-{number}/subject"].audio for number in (1, 2, 3)] == [
        AudioCodec.AAC,
        AudioCodec.ALAW,
        AudioCodec.AAC,
    ]
    assert all(camera.mode is Mode.LIVE and (camera.width, camera.height) == (640, 360) for camera in cameras.values())
    assert all(cameras[f"room-{number}/room"].audio is None for number in (1, 2, 3))


def test_the_demo_runs() -> None:
    cameras = demo_cameras()
    with CameraSet(cameras=cameras).build() as host:
        seen = watch_all([host.rtsp_url(camera.path) for camera in cameras], pictures=3)
    for camera, watched in zip(cameras, seen, strict=True):
        assert watched.codecs == ["h264", *([camera.audio.value] if camera.audio else [])]
        assert watched.pictures[0].shape == (540, 640)


def test_two_cameras_on_one_path_are_refused(hosted: Hosts) -> None:
    camera = hosted().camera("cam")
    with pytest.raises(SpecError, match="own path"):
        CameraHost([camera, camera])
