"""docker-compose.yml: what the specification asks, what a site is promised, the services started as it says."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml

from evidence_store.site import DatabaseSettings
from recorder.devices import StoreSettings
from tests.deploy import sandbox
from tests.parts.require import require

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
README = (ROOT / "deploy" / "README.md").read_text()

# What stands for the entrypoint of the image of PostgreSQL, in as far as the settings go.
POSTGRES_ENTRYPOINT = [
    "/bin/sh",
    "-euc",
    """
    initdb --auth-host=scram-sha-256 --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" \\
        $POSTGRES_INITDB_ARGS --pgdata="$PGDATA"
    exec postgres
    """,
]

each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())


def test_the_file_follows_the_specification() -> None:
    schema = json.loads(require("compose-schema").read_text())
    errors = jsonschema.Draft202012Validator(schema).iter_errors(COMPOSE)
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


class TestGuards:
    @each_service
    def test_nothing_runs_as_root(self, service: dict[str, Any]) -> None:
        uid, gid = (int(number) for number in service["user"].split(":"))
        assert uid > 0
        assert gid > 0
        assert not service.get("privileged", False)

    @each_service
    def test_no_service_can_gain_rights(self, service: dict[str, Any]) -> None:
        assert service["cap_drop"] == ["ALL"]
        assert "cap_add" not in service
        assert "no-new-privileges:true" in service["security_opt"]

    @each_service
    def test_file_systems_are_read_only_but_for_named_folders(self, service: dict[str, Any]) -> None:
        assert service["read_only"] is True
        # A folder that is not there is a disk that is not mounted: Docker must not make one in its place.
        assert all(volume["bind"] == {"create_host_path": False} for volume in service["volumes"])

    @each_service
    def test_ports_are_open_to_this_machine_only(self, service: dict[str, Any]) -> None:
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))

    @each_service
    def test_images_are_pinned(self, service: dict[str, Any]) -> None:
        _, _, tag = service["image"].partition(":")
        assert re.search(r"\d", tag), f"{service['image']} names no version"

    @each_service
    def test_logs_cannot_fill_the_disk(self, service: dict[str, Any]) -> None:
        assert {"max-size", "max-file"} <= set(service["logging"]["options"])


class TestOrder:
    @each_service
    def test_every_service_is_watched_and_started_again(self, service: dict[str, Any]) -> None:
        assert {"test", "interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])
        assert service["restart"] == "unless-stopped"
        assert "stop_grace_period" in service

    def test_the_recorder_is_started_after_what_it_fills(self) -> None:
        healthy = {"condition": "service_healthy"}
        assert SERVICES["recorder"]["depends_on"] == {"minio": healthy, "postgres": healthy}


class TestSecrets:
    def test_every_secret_is_a_file(self) -> None:
        assert {tuple(secret) for secret in COMPOSE["secrets"].values()} == {("file",)}

    def test_every_secret_is_used_and_every_used_one_is_there(self) -> None:
        used = {name for service in SERVICES.values() for name in service["secrets"]}
        assert used == set(COMPOSE["secrets"])

    @each_service
    def test_a_service_names_only_secrets_that_it_was_given(self, service: dict[str, Any]) -> None:
        assert set(re.findall(r"/run/secrets/(\w+)", json.dumps(service))) <= set(service["secrets"])

    @each_service
    def test_no_password_stands_in_the_file(self, service: dict[str, Any]) -> None:
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|KEY|ROOT_USER", name):
                assert name.endswith("_FILE")
                assert value.startswith("/run/secrets/")
        assert not re.search(r"://[^/\s\"]*:[^/\s\"]*@", json.dumps(service))


class TestDocumentation:
    def test_every_variable_is_explained_with_its_default(self) -> None:
        variables = set(re.findall(r"\$\{(\w+):-([^}]+)\}", TEXT))
        assert variables
        assert variables == set(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", README, flags=re.MULTILINE))

    def test_the_store_in_the_guide_is_the_one_of_the_file(self) -> None:
        store = StoreSettings.model_validate(_example("stores")[0])
        url = urlsplit(store.url)
        assert SERVICES["minio"]["ports"] == [f"{url.hostname}:{url.port}:9000"]
        environment = SERVICES["minio"]["environment"]
        assert str(store.access_key_file) == environment["MINIO_ROOT_USER_FILE"]
        assert str(store.secret_key_file) == environment["MINIO_ROOT_PASSWORD_FILE"]

    def test_the_database_in_the_guide_is_the_one_of_the_file(self) -> None:
        database = DatabaseSettings.model_validate(_example("database"))
        url = urlsplit(database.url)
        environment = SERVICES["postgres"]["environment"]
        assert SERVICES["postgres"]["ports"] == [f"{url.hostname}:{url.port}:5432"]
        assert url.username == environment["POSTGRES_USER"]
        assert url.path == f"/{environment['POSTGRES_DB']}"
        assert str(database.password_file) == environment["POSTGRES_PASSWORD_FILE"]


@pytest.mark.skipif(os.geteuid() != 0, reason="deploy/prepare gives folders away, which only root can do")
class TestPrepare:
    def test_every_folder_is_there_and_its_users_own(self, tmp_path: Path) -> None:
        prepare(tmp_path)
        for service in SERVICES.values():
            for volume in service["volumes"]:
                status = host_path(tmp_path, volume["source"]).stat()
                assert f"{status.st_uid}:{status.st_gid}" == service["user"]
                assert status.st_mode & 0o077 == 0

    def test_every_secret_is_there_and_the_folder_is_shut(self, tmp_path: Path) -> None:
        prepare(tmp_path)
        values = {host_path(tmp_path, secret["file"]).read_text().strip() for secret in COMPOSE["secrets"].values()}
        assert len(values) == len(COMPOSE["secrets"])
        assert min(map(len, values)) >= 20
        assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700

    def test_a_second_run_keeps_every_password(self, tmp_path: Path) -> None:
        prepare(tmp_path)
        before = {path: path.read_bytes() for path in (tmp_path / "secrets").iterdir()}
        prepare(tmp_path)
        assert {path: path.read_bytes() for path in (tmp_path / "secrets").iterdir()} == before

    def test_a_failed_run_leaves_no_empty_password(self, tmp_path: Path) -> None:
        broken = tmp_path / "bin"
        broken.mkdir()
        (broken / "openssl").symlink_to("/bin/false")
        with pytest.raises(subprocess.CalledProcessError):
            prepare(tmp_path, path=f"{broken}:{os.environ['PATH']}")
        assert not (tmp_path / "secrets" / "minio_user").exists()


class TestMinio:
    """MinIO under the file's own settings: user, read-only file system, secrets, port, command and health check."""

    @pytest.fixture
    def secrets(self, tmp_path: Path) -> Path:
        return write_secrets(tmp_path, minio_user="the-user\n", minio_password="the-password\n")

    def list_buckets(self, user: str, password: str) -> str:
        return (
            "curl --silent --output /dev/null --write-out %{http_code} --aws-sigv4 aws:amz:us-east-1:s3"
            f" --user {user}:{password} http://127.0.0.1:9000/"
        )

    def run(self, probe: str, folder: Path, secrets: Path) -> subprocess.CompletedProcess[str]:
        return sandbox.run(
            SERVICES["minio"],
            f"{probe}; exit 0",
            folder=new(folder),
            secrets=secrets,
            programs={"minio": require("minio"), "curl": require("curl")},
        )

    def test_it_becomes_healthy_and_knows_the_account_of_the_secret_files(self, tmp_path: Path, secrets: Path) -> None:
        done = self.run(self.list_buckets("the-user", "the-password"), tmp_path, secrets)
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("200")

    def test_the_password_that_everybody_knows_is_refused(self, tmp_path: Path, secrets: Path) -> None:
        done = self.run(self.list_buckets("minioadmin", "minioadmin"), tmp_path, secrets)
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("403")

    @pytest.mark.parametrize("content", ["", " \n"], ids=["empty", "blank"])
    @pytest.mark.parametrize("name", ["minio_user", "minio_password"])
    def test_it_does_not_start_with_an_empty_secret(
        self, tmp_path: Path, secrets: Path, name: str, content: str
    ) -> None:
        (secrets / name).write_text(content)
        done = self.run("echo started", tmp_path, secrets)
        assert done.returncode == 1
        assert f"/run/secrets/{name} is empty" in done.stderr
        assert "started" not in done.stdout


class TestPostgres:
    """PostgreSQL under the file's own settings; the work of the image's entrypoint is done by POSTGRES_ENTRYPOINT."""

    def run(self, probe: str, folder: Path) -> subprocess.CompletedProcess[str]:
        programs = require("postgres")
        # The programs find their libraries from where they are, so they stay in /usr and get their names in PATH.
        return sandbox.run(
            with_path(SERVICES["postgres"], programs),
            probe,
            folder=new(folder),
            secrets=write_secrets(folder, postgres_password="the-password\n"),
            account="postgres",
            entrypoint=POSTGRES_ENTRYPOINT,
        )

    def test_it_becomes_healthy_and_takes_the_password_of_the_secret_file(self, tmp_path: Path) -> None:
        done = self.run(
            "PGPASSWORD=the-password psql --host 127.0.0.1 --username shilu --dbname postgres --tuples-only --no-align"
            " --command 'SELECT current_user' --command 'SHOW lc_collate' --command 'SHOW server_encoding'"
            " --command 'SHOW data_checksums'",
            tmp_path,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[-4:] == ["shilu", "C", "UTF8", "on"]

    def test_a_wrong_password_is_refused(self, tmp_path: Path) -> None:
        done = self.run("PGPASSWORD=guessed psql --host 127.0.0.1 --username shilu --dbname postgres", tmp_path)
        assert done.returncode != 0
        assert "password authentication failed" in done.stderr


def _example(key: str) -> Any:
    """The value of `key` in the guide's YAML examples."""
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)]
    return next(block[key] for block in blocks if key in block)


def prepare(folder: Path, *, path: str = os.environ["PATH"]) -> None:
    places = {f"SHILU_{name.upper()}": str(folder / name) for name in ["data", "site", "secrets"]}
    subprocess.run([ROOT / "deploy" / "prepare"], env={"PATH": path, **places}, check=True, capture_output=True)


def host_path(folder: Path, source: str) -> Path:
    """Where a path of the file is after `prepare(folder)`."""
    return Path(re.sub(r"\$\{SHILU_(\w+):-[^}]+\}", lambda found: str(folder / found[1].lower()), source))


def write_secrets(folder: Path, **values: str) -> Path:
    secrets = folder / "secrets"
    secrets.mkdir()
    for name, value in values.items():
        (secrets / name).write_text(value)
    return secrets


def new(folder: Path) -> Path:
    inside = folder / "sandbox"
    inside.mkdir()
    return inside


def with_path(service: dict[str, Any], programs: Path) -> dict[str, Any]:
    return service | {"environment": service["environment"] | {"PATH": f"{programs}:/usr/bin:/bin"}}
