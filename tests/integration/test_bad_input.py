"""Mistakes, as a technician makes them: one clear line, an exit code that is not 0, nothing half made."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from shilu.cameras.auth import Accounts
from shilu.cameras.camera import Camera
from shilu.cameras.clip import make_clip
from shilu.cameras.clock import SystemClock
from shilu.cameras.host import CameraHost
from shilu.cameras.loop import LoopSource
from shilu.cameras.spec import MediaSpec
from tests.integration.centre import Centre, Finished, shilu
from tests.integration.conftest import Centres
from tests.parts.minio import Bucket, MinioServer

SECRET = "Geheim-9247"


def refused(done: Finished, *words: str) -> str:
    """The command failed with one line that has these words and no secret."""
    assert done.code not in (0, 2)
    lines = [line for line in done.err.strip().splitlines() if line.startswith("shilu: ")]
    assert len(lines) == 1, done.err
    assert "Traceback" not in done.err
    for word in words:
        assert word in lines[0], lines[0]
    assert SECRET not in done.err + done.out
    return lines[0]


def nothing_recorded(site: Centre) -> None:
    assert not list(site.site.spool.rglob("*.json"))
    assert not list(site.site.spool.rglob("*.mp4"))


@pytest.fixture
def protected(pytestconfig: pytest.Config) -> Iterator[CameraHost]:
    """A camera that asks for user name and password, at `cam`."""
    clip = make_clip(MediaSpec(width=320, height=180, kbps=300), cache=pytestconfig.cache.mkdir("camera-clips"))
    clock = SystemClock()
    with CameraHost([Camera("cam", LoopSource(clip, clock), clock)], accounts=Accounts({"viewer": SECRET})) as host:
        yield host


@pytest.fixture
def garbage() -> Iterator[str]:
    """An address where something answers that is no camera."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for _ in range(200):
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"\x00\xff garbage " * 100)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"rtsp://127.0.0.1:{server.getsockname()[1]}/cam"
        server.shutdown(socket.SHUT_RDWR)


def record(site: Centre, **environment: str) -> Finished:
    return shilu(
        "record",
        "--dir",
        site.site.root,
        "--room",
        "room-1",
        "--case",
        "A-1",
        "--seconds",
        "1",
        environment=environment,
    )


def one_camera(site: Centre, url: str, **settings: str) -> None:
    devices = yaml.safe_load(site.site.devices.read_text(encoding="utf-8"))
    devices["rooms"] = [{"id": "room-1", "cameras": [{"id": "cam-1", "role": "subject", "url": url, **settings}]}]
    site.site.devices.write_text(yaml.safe_dump(devices), encoding="utf-8")


def test_nobody_at_the_address(centre: Centres) -> None:
    site = centre()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    one_camera(site, f"rtsp://127.0.0.1:{port}/cam")
    refused(record(site), "cam-1", "refuses the connection")
    nothing_recorded(site)


def test_wrong_path(centre: Centres, protected: CameraHost) -> None:
    site = centre()
    url = protected.rtsp_url("cam").removesuffix("cam") + "other"
    one_camera(site, url, username="viewer", password_env="CAMERA")
    refused(record(site, CAMERA=SECRET), "cam-1", "no stream at this path")
    nothing_recorded(site)


def test_refused_password(centre: Centres, protected: CameraHost) -> None:
    site = centre()
    one_camera(site, protected.rtsp_url("cam"), username="viewer", password_env="CAMERA")
    refused(record(site, CAMERA="wrong"), "cam-1", "refused user name or password")
    nothing_recorded(site)


def test_right_password_records(centre: Centres, protected: CameraHost) -> None:
    site = centre()
    one_camera(site, protected.rtsp_url("cam"), username="viewer", password_env="CAMERA")
    done = record(site, CAMERA=SECRET)
    assert done.code == 0, done.err
    assert site.verify(done.last_line)["verdict"] == "OK"
    for path in site.site.root.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_missing_password(centre: Centres, protected: CameraHost) -> None:
    site = centre()
    one_camera(site, protected.rtsp_url("cam"), username="viewer", password_env="CAMERA")
    refused(record(site), "CAMERA", "not set")


def test_garbage_instead_of_a_camera(centre: Centres, garbage: str) -> None:
    site = centre()
    one_camera(site, garbage)
    refused(record(site), "cam-1")
    nothing_recorded(site)


def test_mistake_in_devices_yaml(centre: Centres) -> None:
    site = centre()
    text = site.site.devices.read_text(encoding="utf-8")
    site.site.devices.write_text(text.replace("    name: 第一询问室", "    nmae: 第一询问室"), encoding="utf-8")
    line = next(number for number, row in enumerate(text.splitlines(), 1) if "第一询问室" in row)
    refused(record(site), f"devices.yaml:{line}", "nmae", "unknown key")


@pytest.mark.parametrize("command", ["record", "recorder"])
def test_store_without_object_lock(centre: Centres, minio: MinioServer, command: str) -> None:
    site = centre()
    bucket: Bucket = minio.make_bucket(object_lock=False)
    devices = yaml.safe_load(site.site.devices.read_text(encoding="utf-8"))
    devices["stores"] = [
        {
            "name": "main",
            "url": bucket.url,
            "access_key_file": str(minio.access_key_file),
            "secret_key_file": str(minio.secret_key_file),
        }
    ]
    site.site.devices.write_text(yaml.safe_dump(devices), encoding="utf-8")
    done = record(site) if command == "record" else site.run("recorder")
    refused(done, "lock")
    nothing_recorded(site)


def test_init_with_a_store_without_object_lock(minio: MinioServer, tmp_path: Path) -> None:
    bucket = minio.make_bucket(object_lock=False)
    keys = ("--access-key-file", minio.access_key_file, "--secret-key-file", minio.secret_key_file)
    refused(shilu("init", tmp_path / "site", "--store", bucket.url, *keys), "lock")
    assert not (tmp_path / "site").exists()
    assert not list(tmp_path.glob(".shilu-init-*"))


def test_key_file_that_others_can_read(centre: Centres, protected: CameraHost) -> None:
    site = centre()
    key = site.site.key("recorder")
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    one_camera(site, protected.rtsp_url("cam"), username="viewer", password_env="CAMERA")
    refused(record(site, CAMERA=SECRET), "recorder.key", "others can read", "chmod 600")
    nothing_recorded(site)


@pytest.mark.parametrize(
    ("case", "word"), [("", "empty"), ("  ", "empty"), ("例" * 500, "500"), ("a\nb", "unprintable")]
)
def test_case_number(centre: Centres, case: str, word: str) -> None:
    site = centre()
    done = shilu("record", "--dir", site.site.root, "--room", "room-1", "--case", case, "--seconds", "1")
    refused(done, word)
    nothing_recorded(site)


def test_unknown_room(centre: Centres) -> None:
    refused(centre().run("record", "--room", "room-9", "--case", "A-1"), "room-9", "room-1")


def test_disk_full_at_start(centre: Centres, protected: CameraHost) -> None:
    site = centre()
    one_camera(site, protected.rtsp_url("cam"), username="viewer", password_env="CAMERA")
    devices = yaml.safe_load(site.site.devices.read_text(encoding="utf-8"))
    devices["limits"] = {"min_free_gb": 1_000_000}
    site.site.devices.write_text(yaml.safe_dump(devices), encoding="utf-8")
    refused(record(site, CAMERA=SECRET), "GB free", "1e+06")
    nothing_recorded(site)


def test_folder_that_is_no_site(tmp_path: Path) -> None:
    refused(shilu("status", "--dir", tmp_path), "not a site folder", "shilu init")


def test_init_twice(centre: Centres) -> None:
    site = centre()
    before = site.site.key("root").read_bytes()
    refused(shilu("init", site.site.root), "not empty")
    assert site.site.key("root").read_bytes() == before


def test_recorder_that_is_not_running(centre: Centres) -> None:
    refused(centre().run("stop", "--room", "room-1"), "no recorder is running", "shilu recorder")


def test_foreground_beside_the_recorder(centre: Centres, protected: CameraHost) -> None:
    site = centre(environment={"CAMERA": SECRET})
    one_camera(site, protected.rtsp_url("cam"), username="viewer", password_env="CAMERA")
    site.start_recorder()
    site.room_process("room-1")
    refused(record(site, CAMERA=SECRET), "room-1", "already run by process", "shilu start")
