"""devices.yaml at the top of the repository is one that the recorder takes, and agrees with the others."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from recorder.devices import CameraSettings, Devices, Limits, LoadedDevices, StoreSettings, camera_url, load_devices
from shilu.site_init import devices_yaml
from tests.docs.markdown import ROOT, read

EXAMPLE = ROOT / "devices.yaml"
TEXT = EXAMPLE.read_text(encoding="utf-8")
TEMPLATE = devices_yaml("xindai", "- name: main\n    url: file:///srv/shilu/store")


def loaded() -> LoadedDevices:
    return load_devices(EXAMPLE)


def test_it_is_a_site_of_three_rooms_with_two_cameras_each() -> None:
    rooms = loaded().devices.rooms
    assert [[camera.role for camera in room.cameras] for room in rooms] == [["subject", "room"]] * 3


def test_it_follows_the_schema_from_which_editors_complete_it() -> None:
    jsonschema.validate(yaml.safe_load(TEXT), Devices.model_json_schema())


def test_every_camera_has_an_address_once_its_secret_is_there(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "cameras").write_text("geheim\n")
    cameras = [camera for room in loaded().devices.rooms for camera in room.cameras]
    urls = [camera_url(camera, tmp_path, {"CAMERA_PASSWORD": "s:e/c"}) for camera in cameras]
    assert [url.split("@")[0] for url in urls if "@" in url] == [
        *["rtsp://viewer:geheim"] * 2,
        *["rtsp://viewer:s%3Ae%2Fc"] * 2,
        "rtsp://viewer:geheim",
    ]


def test_what_is_commented_out_is_right_as_well() -> None:
    text = re.sub(r"^  # (- name: city| {2}\w+: .*)$", r"  \1", TEXT, flags=re.MULTILINE)
    stores: list[dict[str, Any]] = yaml.safe_load(text)["stores"]
    assert [StoreSettings.model_validate(store).name for store in stores] == ["main", "city"]


def test_every_setting_of_cameras_and_stores_is_shown() -> None:
    for model in (CameraSettings, StoreSettings):
        shown = set(re.findall(r"^ +(?:# )?(?:- )?(?:  )?(\w+):", TEXT, flags=re.MULTILINE))
        # Keys of a store may come from the environment as well; the example shows files.
        assert set(model.model_fields) - shown <= {"access_key_env", "secret_key_env"}


def test_limits_are_the_defaults_and_told_as_in_the_template() -> None:
    assert loaded().devices.limits == Limits()
    for text in (TEXT, TEMPLATE):
        assert set(yaml.safe_load(text)["limits"]) == set(Limits.model_fields)
    assert TEXT[TEXT.index("\nlimits:") :] == TEMPLATE[TEMPLATE.index("\nlimits:") :]


def test_it_begins_as_the_template_does() -> None:
    assert TEXT.splitlines()[:4] == TEMPLATE.splitlines()[:4]


def test_no_comment_of_the_template_is_missing() -> None:
    template = (files("shilu") / "templates" / "devices.yaml").read_text(encoding="utf-8")
    said = re.findall(r"^ *# (role: .*|Every store .*)$", template, flags=re.MULTILINE)
    assert len(said) == 2
    assert all(f"# {one}\n" in TEXT for one in said)


def test_the_store_is_the_one_of_the_deployment() -> None:
    (store,) = loaded().devices.stores
    guide = read(ROOT / "deploy" / "README.md")
    examples = [yaml.safe_load(one.text) for one in guide.fences if one.language == "yaml"]
    (deployed,) = next(one["stores"] for one in examples if "stores" in one)
    assert store == StoreSettings.model_validate(deployed)
