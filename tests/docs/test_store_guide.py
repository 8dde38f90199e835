"""The steps of the guide that set a site up, done as they stand, with real servers at other addresses."""

import os
import shlex
import subprocess
import sys
import uuid
from pathlib import Path

import yaml
from sqlalchemy import make_url

from evidence_store.site import SiteFolder
from recorder.devices import StoreSettings, load_devices
from tests.docs.markdown import ROOT, read
from tests.parts.minio import MinioServer

GUIDE = read(ROOT / "docs" / "guide" / "store-and-database.md")
(STEPS,) = [block for block in GUIDE.section("With Docker Compose").fences("sh") if "deploy/prepare" in block]
# In the guide; here all of it lies in a folder of the test.
SITE, SECRETS = "/etc/shilu/site", "/etc/shilu/secrets"
STORE, DATABASE = "s3+http://127.0.0.1:9000/shilu-evidence", "postgresql+psycopg://shilu@127.0.0.1:5432/shilu"
PROGRAM = [sys.executable, "-c", "from shilu.cli import app; app()"]


def step(beginning: str) -> str:
    (found,) = [line for line in STEPS.replace("\\\n", " ").splitlines() if line.startswith(beginning)]
    return found


def test_a_site_is_made_whose_settings_are_right_in_the_containers(
    tmp_path: Path, minio: MinioServer, postgres_url: str
) -> None:
    site, secrets = tmp_path / "site", tmp_path / "secrets"
    site.mkdir()  # deploy/prepare makes it, empty
    secrets.mkdir()
    for name, value in (("minio_user", minio.access_key), ("minio_password", minio.secret_key)):
        (secrets / name).write_text(f"{value}\n")
    server = make_url(postgres_url)
    (secrets / "postgres_password").write_text(f"{server.password}\n")
    database_url = server.set(password=None).render_as_string()
    bucket_url = f"s3+http://{minio.address}/guide-{uuid.uuid4().hex[:16]}"
    places = {SITE: str(site), SECRETS: str(secrets), STORE: bucket_url, DATABASE: database_url}

    def here(line: str) -> str:
        for there, place in places.items():
            line = line.replace(there, place)
        return line

    words = shlex.split(here(step(".venv/bin/shilu init")))
    assert words[0] == ".venv/bin/shilu"
    run([*PROGRAM, *words[1:]])
    run(["sh", "-c", here(step("sed"))])

    (store,) = load_devices(site / "devices.yaml").devices.stores
    assert store == deployed_store().model_copy(update={"url": bucket_url})
    database = SiteFolder(site).settings().database
    assert (database.url, str(database.password_file)) == (database_url, "/run/secrets/postgres_password")


def test_the_addresses_are_those_of_the_deployment() -> None:
    assert deployed_store().url == STORE
    assert f"url: {DATABASE}" in read(ROOT / "deploy" / "README.md").text
    assert f"${{SHILU_SITE:-{SITE}}}" in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert f"${{SHILU_SECRETS:-{SECRETS}}}" in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def test_the_site_is_given_to_the_recorders_account() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    blocks = GUIDE.section("With Docker Compose").fences("sh")
    assert any(f"chown -R {compose['services']['recorder']['user']} {SITE}\n" in block for block in blocks)


def deployed_store() -> StoreSettings:
    guide = read(ROOT / "deploy" / "README.md")
    examples = [yaml.safe_load(one.text) for one in guide.fences if one.language == "yaml"]
    (store,) = next(one["stores"] for one in examples if "stores" in one)
    return StoreSettings.model_validate(store)


def run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
