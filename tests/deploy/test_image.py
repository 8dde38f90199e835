"""Dockerfile and wheel: what the image takes, and that nothing the program needs stays behind."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LINES = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
PACKAGES = ["api", "evidence_store", "recorder", "shilu"]
WHAT_THE_BUILD_TAKES = ["pyproject.toml", "requirements.lock", *PACKAGES]


def instructions(name: str) -> list[str]:
    return [line.removeprefix(f"{name} ") for line in LINES if line.startswith(f"{name} ")]


def test_it_does_not_run_as_root_and_is_who_the_compose_file_says() -> None:
    last_stage = LINES[max(index for index, line in enumerate(LINES) if line.startswith("FROM ")) :]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert f"USER {compose['services']['recorder']['user']}" in last_stage


def test_base_images_are_pinned_and_alike() -> None:
    bases = {line.split()[0] for line in instructions("FROM")}
    assert len(bases) == 1, "what one stage built must run in the other"
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", bases.pop())


def test_everything_is_installed_by_hash_and_nothing_is_built() -> None:
    locked, project = [line for line in instructions("RUN") if "pip install" in line]
    assert "--require-hashes --only-binary :all: --requirement requirements.lock" in locked
    assert "--no-deps --no-build-isolation ." in project


def test_no_secret_goes_into_a_build() -> None:
    assert instructions("ARG") == []
    assert not re.search(r"PASSWORD|SECRET|TOKEN|KEY", "\n".join(LINES))


def test_the_build_sees_what_it_copies_and_no_more() -> None:
    copied = {line.split()[0] for line in instructions("COPY") if not line.startswith("--from")}
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    assert copied == set(WHAT_THE_BUILD_TAKES)
    assert {line.removeprefix("!").rstrip("/") for line in ignore if line.startswith("!")} == copied
    assert "*" in ignore


def test_the_names_of_the_image_and_of_the_project_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert compose["services"]["recorder"]["image"] == f"{project['name']}:{project['version']}"
    assert instructions("ENTRYPOINT") == ['["shilu"]']
    assert "shilu" in project["scripts"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel that was built from a copy of what the image takes."""
    source = tmp_path_factory.mktemp("source")
    for name in WHAT_THE_BUILD_TAKES:
        origin = ROOT / name
        if origin.is_dir():
            shutil.copytree(origin, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, source)
    build = "from setuptools import build_meta; build_meta.build_wheel('out')"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (path,) = (source / "out").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_every_file_of_the_packages_is_in_the_wheel(wheel: set[str]) -> None:
    files = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files - wheel == set(), "left out: see [tool.setuptools.package-data] in pyproject.toml"


def test_nothing_else_is_in_the_wheel(wheel: set[str]) -> None:
    others = {name.split("/")[0] for name in wheel} - set(PACKAGES)
    assert all(name.endswith(".dist-info") for name in others)
