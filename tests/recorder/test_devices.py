"""devices.yaml: each mistake is one line that names file, line and field and says what to write instead."""

import json
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from evidence_store.records import sha256_hex
from recorder.devices import Devices, DevicesError, LoadedDevices, camera_url, json_schema, load_devices, read_secret
from shilu.site_init import devices_yaml

GOOD = """\
site: xindai
name: 新埭镇一体化智能办案中心
rooms:
  - id: room-1
    name: 第一询问室
    cameras:
      - id: room-1-subject
        role: subject
        url: rtsp://192.0.2.11:554/stream1
        username: viewer
        password_file: secret
      - id: room-1-room
        role: room
        url: tcp://192.0.2.12:9000
        sound: false
  - id: room-2
    cameras:
      - {id: room-2-room, role: room, url: "http://192.0.2.13/live.ts"}
stores:
  - name: main
    url: file:///srv/evidence
limits:
  pre_roll_s: 10
"""


def load(folder: Path, text: str | bytes) -> LoadedDevices:
    path = folder / "devices.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_devices(path)


def mistakes(folder: Path, text: str | bytes) -> list[str]:
    """The lines of the error, without the name of the folder."""
    with pytest.raises(DevicesError) as caught:
        load(folder, text)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_a_good_file_is_read(tmp_path: Path) -> None:
    loaded = load(tmp_path, GOOD)
    devices = loaded.devices
    assert devices.site == "xindai"
    assert [room.id for room in devices.rooms] == ["room-1", "room-2"]
    assert [camera.sound for camera in devices.rooms[0].cameras] == [True, False]
    assert devices.limits.fragment_ms == 500
    assert devices.limits.segment_s == 10
    assert loaded.folder == tmp_path
    assert loaded.sha256 == sha256_hex(GOOD.encode())


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("site: xindai", "site: Xindai", "devices.yaml:1: site: id 'Xindai' is not an id. Use lower-case letters"),
        ("site: xindai", "town: xindai", "devices.yaml:1: site: is missing; add it"),
        ("site: xindai", "town: xindai", "devices.yaml:1: town: unknown key; remove it or correct its spelling"),
        ("site: xindai", "site: 3", "devices.yaml:1: site: Input should be a valid string"),
        ("        role: room\n", "        rol: room\n", "devices.yaml:13: rooms.0.cameras.1.rol: unknown key"),
        ("        role: room\n", "        rol: room\n", "devices.yaml:12: rooms.0.cameras.1.role: is missing; add it"),
        (
            "role: room\n        url: tcp",
            "role: subject\n        url: tcp",
            "devices.yaml:4: rooms.0: two cameras with the role subject; give each camera of a room its own role",
        ),
        ("id: room-2\n", "id: room-1\n", "devices.yaml:1: file: room room-1 is there twice; give each room its own id"),
        ("{id: room-2-room", "{id: room-1-room", "devices.yaml:1: file: camera room-1-room is there twice"),
        ("    cameras:\n      - {id", "    kameras:\n      - {id", "devices.yaml:16: rooms.1.cameras: is missing"),
        (
            "rtsp://192.0.2.11:554",
            "rtsp://viewer:hush@192.0.2.11:554",
            "devices.yaml:9: rooms.0.cameras.0.url: user name ",
        ),
        (
            "rtsp://192.0.2.11:554",
            "rtsp://viewer@192.0.2.11:554",
            "devices.yaml:9: rooms.0.cameras.0.url: user name or",
        ),
        ("rtsp://192.0.2.11:554", "rtsp://:hush@192.0.2.11:554", "devices.yaml:9: rooms.0.cameras.0.url: user name or"),
        ("rtsp://192.0.2.11:554", "udp://192.0.2.11:554", "devices.yaml:9: rooms.0.cameras.0.url: not an address of a"),
        ("rtsp://192.0.2.11:554", "rtsp://192.0.2.11:70000", "devices.yaml:9: rooms.0.cameras.0.url: not an address"),
        (
            "rtsp://192.0.2.11:554",
            "rtsp://[192.0.2.11",
            "devices.yaml:9: rooms.0.cameras.0.url: not an address; write ",
        ),
        (
            "tcp://192.0.2.12:9000",
            "tcp://192.0.2.12",
            "devices.yaml:14: rooms.0.cameras.1.url: not an address of a cam",
        ),
        ("password_file: secret", "password: hush", "devices.yaml:11: rooms.0.cameras.0.password: unknown key"),
        ("        username: viewer\n", "", "devices.yaml:7: rooms.0.cameras.0: a password without a username; add"),
        (
            "password_file: secret",
            "password_file: secret\n        password_env: SECRET",
            "devices.yaml:7: rooms.0.cameras.0: give password_file or password_env, not both",
        ),
        ("sound: false", "sound: loud", "devices.yaml:15: rooms.0.cameras.1.sound: Input should be a valid boolean"),
        (
            "pre_roll_s: 10",
            "pre_roll_s: -1",
            "devices.yaml:23: limits.pre_roll_s: Input should be greater than or equal",
        ),
        (
            "pre_roll_s: 10",
            "pre_roll_s: 1000",
            "devices.yaml:23: limits.pre_roll_s: Input should be less than or equal ",
        ),
        ("pre_roll_s: 10", "fragment_ms: 50", "devices.yaml:23: limits.fragment_ms: Input should be greater than or e"),
        ("pre_roll_s: 10", "keep_local_days: .nan", "devices.yaml:23: limits.keep_local_days: Input should be"),
        ("pre_roll_s: 10", "max_session_hours: .inf", "devices.yaml:23: limits.max_session_hours: Input should be"),
        (
            "  - name: main\n    url: file:///srv/evidence",
            "  []",
            "devices.yaml:19: stores: Tuple should have at least 1",
        ),
        (
            "  - name: main",
            "  - name: main\n    url: file:///a\n  - name: main",
            "devices.yaml:1: file: store main is ",
        ),
        (
            "url: file:///srv/evidence",
            "url: s3+https://key:hush@store/bucket",
            "devices.yaml:21: stores.0.url: user name or password in the address",
        ),
        (
            "name: main",
            "name: main\n    retention_days: 0",
            "devices.yaml:21: stores.0.retention_days: Input should be",
        ),
        ("limits:", "site: other\nlimits:", "devices.yaml:22: site is there twice. Remove one of them."),
        (
            "sound: false",
            "sound: false\n        sound: true",
            "devices.yaml:16: sound is there twice. Remove one of them",
        ),
        ("name: 第一询问室", "name: [", "devices.yaml:7: not YAML: expected the node content"),
        ("rooms:", "rooms: 5\nhalls:", "devices.yaml:3: rooms: Input should be a valid tuple"),
    ],
)
def test_a_mistake_names_line_and_field(tmp_path: Path, old: str, new: str, line: str) -> None:
    assert GOOD.count(old) == 1
    found = mistakes(tmp_path, GOOD.replace(old, new))
    assert any(one.startswith(line) for one in found), found


def test_every_mistake_has_a_line_of_its_own(tmp_path: Path) -> None:
    text = GOOD.replace("site: xindai", "site: X").replace("pre_roll_s: 10", "pre_roll_s: 99").replace("tcp:", "ftp:")
    found = mistakes(tmp_path, text)
    assert [line.split(": ")[0] for line in found] == ["devices.yaml:1", "devices.yaml:14", "devices.yaml:23"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "devices.yaml: has no settings. It starts with `site:`, `rooms:` and `stores:`."),
        ("# nothing", "devices.yaml: has no settings."),
        ("- a list", "devices.yaml: has no settings."),
        ("just words", "devices.yaml: has no settings."),
        ("site: a\n\tb: c", "devices.yaml:2: not YAML: found character '\\t' that cannot start any token."),
        (b"site: \xff\xfe", "devices.yaml: not YAML: is not UTF-8 text."),
        ("site: a\n---\nsite: b", "devices.yaml:2: not YAML: "),
        ("? [a, b]\n: c", "devices.yaml:1: not YAML: found unhashable key"),
        ("rooms: &all [*all]", "devices.yaml:1: not YAML: "),
    ],
)
def test_a_file_that_is_no_settings(tmp_path: Path, text: str | bytes, says: str) -> None:
    (line,) = mistakes(tmp_path, text)
    assert line.startswith(says)


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(DevicesError, match=r"devices.yaml: cannot be read: no such file.*`shilu init` writes one"):
        load_devices(tmp_path / "devices.yaml")


@pytest.mark.parametrize(
    "mistake",
    [
        "password: hush-hush",
        "password: [hush-hush]",
        "password: *hush-hush",
        "password: !hush-hush",
        "password: !hush-hush x",
        "password: !hush-hush!x y",
        "password: &hush-hush &hush-hush",
        "password: {hush-hush: 1}",
        "password_file: {hush-hush: 1}",
        "password_env: [hush-hush]",
        "username: [hush-hush]",
        "url: rtsp://viewer:hush-hush@192.0.2.11/",
        "url: rtsp://viewer:hush-hush@[192.0.2.11/",
        "url: {rtsp://hush-hush: 1}",
        "hush-hush",
        "password: 'hush-hush",
        'password: "hush-hush\\q"',
        "password: hush-hush: x",
        "password: %hush-hush",
        "password: @hush-hush",
    ],
)
def test_an_error_never_tells_a_secret(tmp_path: Path, mistake: str) -> None:
    text = GOOD.replace("        username: viewer\n        password_file: secret", f"        {mistake}")
    assert not any("hush" in line for line in mistakes(tmp_path, text))


@given(text=st.text(max_size=200))
def test_any_text_is_settings_or_a_mistake(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    with suppress(DevicesError):
        load(folder, text.encode("utf-8", "replace"))


class TestPasswords:
    def test_user_and_password_go_into_the_address(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("p@ss:w/rd ü\n", encoding="utf-8")
        camera = load(tmp_path, GOOD).devices.rooms[0].cameras[0]
        assert camera_url(camera, tmp_path) == "rtsp://viewer:p%40ss%3Aw%2Frd%20%C3%BC@192.0.2.11:554/stream1"

    def test_a_camera_without_a_user_has_its_plain_address(self, tmp_path: Path) -> None:
        camera = load(tmp_path, GOOD).devices.rooms[1].cameras[0]
        assert camera_url(camera, tmp_path) == "http://192.0.2.13/live.ts"

    def test_a_password_from_the_environment(self, tmp_path: Path) -> None:
        text = GOOD.replace("password_file: secret", "password_env: CAMERA_PASSWORD")
        camera = load(tmp_path, text).devices.rooms[0].cameras[0]
        url = camera_url(camera, tmp_path, {"CAMERA_PASSWORD": "hush"})
        assert url == "rtsp://viewer:hush@192.0.2.11:554/stream1"
        with pytest.raises(DevicesError, match="the environment variable CAMERA_PASSWORD for camera room-1-subject is"):
            camera_url(camera, tmp_path, {})

    def test_a_user_without_a_password(self, tmp_path: Path) -> None:
        camera = load(tmp_path, GOOD.replace("        password_file: secret\n", "")).devices.rooms[0].cameras[0]
        assert camera_url(camera, tmp_path) == "rtsp://viewer@192.0.2.11:554/stream1"

    def test_a_password_file_that_is_not_there(self, tmp_path: Path) -> None:
        camera = load(tmp_path, GOOD).devices.rooms[0].cameras[0]
        with pytest.raises(DevicesError, match=r"secret: the secret of camera room-1-subject cannot be read\. Put it"):
            camera_url(camera, tmp_path)

    def test_a_password_file_that_is_not_text(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(b"\xff\xfe\x00hush")
        camera = load(tmp_path, GOOD).devices.rooms[0].cameras[0]
        with pytest.raises(DevicesError) as caught:
            camera_url(camera, tmp_path)
        assert "hush" not in str(caught.value)

    def test_no_secret_where_none_is_configured(self, tmp_path: Path) -> None:
        assert read_secret(None, None, tmp_path, {}, "store main") is None


class TestSchema:
    """What an editor completes by is what the recorder reads."""

    def schema(self) -> Draft202012Validator:
        schema = json.loads(json_schema())
        Draft202012Validator.check_schema(schema)
        return Draft202012Validator(schema)

    def template(self) -> str:
        return devices_yaml("xindai", "- name: main\n    url: file:///srv/evidence")

    def test_the_template_fits_the_schema_and_the_model(self, tmp_path: Path) -> None:
        values = yaml.safe_load(self.template())
        assert list(self.schema().iter_errors(values)) == []
        load(tmp_path, self.template())

    def test_the_template_names_every_limit_with_its_default(self) -> None:
        limits = yaml.safe_load(self.template())["limits"]
        assert limits == Devices.model_fields["limits"].get_default(call_default_factory=True).model_dump()

    def test_every_setting_is_explained(self) -> None:
        schema = json.loads(json_schema())
        for model in (schema, *schema["$defs"].values()):
            for name, setting in model["properties"].items():
                assert setting.get("description"), name

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("site:", "town:"),
            ("role: room\n", "rol: room\n"),
            ("pre_roll_s: 10", "pre_roll_s: 100"),
            ("sound: false", "sound: loud"),
            ("stores:", "shops:"),
        ],
    )
    def test_an_editor_sees_the_same_mistakes(self, old: str, new: str) -> None:
        assert list(self.schema().iter_errors(yaml.safe_load(GOOD))) == []
        assert list(self.schema().iter_errors(yaml.safe_load(GOOD.replace(old, new, 1))))

    def test_the_template_points_editors_to_the_schema(self) -> None:
        text = (files("shilu") / "templates" / "devices.yaml").read_text(encoding="utf-8")
        assert text.startswith("# yaml-language-server: $$schema=devices.schema.json\n")


def test_an_unknown_room_names_those_there_are(tmp_path: Path) -> None:
    devices = load(tmp_path, GOOD).devices
    assert devices.room("room-2").id == "room-2"
    with pytest.raises(DevicesError, match=r"there is no room 'room-9'\. Rooms of this site: room-1, room-2\."):
        devices.room("room-9")
