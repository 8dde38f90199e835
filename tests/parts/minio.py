"""A real MinIO server: S3 with object lock."""

import http.client
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3
from minio import Minio
from minio.error import S3Error

from tests.parts.process import Server, ServerProcess
from tests.parts.require import require

_READY_WITHIN_S = 30


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of its own for one test, and what a store needs to reach it."""

    server: "MinioServer"
    name: str
    object_lock: bool

    @property
    def url(self) -> str:
        return f"s3+http://{self.server.address}/{self.name}"

    @property
    def client(self) -> Minio:
        return self.server.client


class MinioServer(Server):
    """Credentials come from files, as on a real site: `access_key_file` and `secret_key_file` name them."""

    def __init__(self, folder: Path, *, environment: Mapping[str, str] | None = None) -> None:
        """`environment` replaces the server's settings; it must name the two credential files as MinIO does."""
        super().__init__()
        self._program = require("minio")
        self._folder = folder
        self._environment = dict(environment) if environment else _default_environment(folder)
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=2, read=20), retries=False)
        self.access_key_file = Path(self._environment["MINIO_ROOT_USER_FILE"])
        self.secret_key_file = Path(self._environment["MINIO_ROOT_PASSWORD_FILE"])

    @property
    def access_key(self) -> str:
        return self.access_key_file.read_text().strip()

    @property
    def secret_key(self) -> str:
        return self.secret_key_file.read_text().strip()

    @property
    def client(self) -> Minio:
        """A client of the root account. It does not try again by itself, so that a stopped server shows at once."""
        return Minio(
            self.address, self.access_key, self.secret_key, secure=False, region="us-east-1", http_client=self._http
        )

    def close(self) -> None:
        self.stop()
        self._http.clear()

    def make_bucket(self, name: str | None = None, *, object_lock: bool) -> Bucket:
        """Object lock can be set only now: S3 has no way to add it to a bucket that is there."""
        name = name or f"test-{uuid.uuid4().hex[:16]}"
        self.client.make_bucket(name, object_lock=object_lock)
        return Bucket(self, name, object_lock)

    def _start(self) -> ServerProcess:
        data = self._folder / "data"
        data.mkdir(exist_ok=True)
        process = ServerProcess(
            [self._program, "server", "--address", self.address, data],
            log=self._folder / "minio.log",
            environment={"PATH": "/usr/bin:/bin", **self._environment},
        )
        return process.wait_until(self._answers, within_s=_READY_WITHIN_S)

    def _answers(self) -> bool:
        """The disks are up, and so are the accounts: those come some moments later."""
        with _connection(self.address) as connection:
            try:
                connection.request("GET", "/minio/health/cluster")
                if connection.getresponse().status != http.HTTPStatus.OK:
                    return False
            except (OSError, http.client.HTTPException):
                return False
        try:
            self.client.list_buckets()
        except S3Error as error:
            if error.code == "XMinioServerNotInitialized":
                return False
            raise
        return True


@contextmanager
def _connection(address: str) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(address, timeout=2)
    try:
        yield connection
    finally:
        connection.close()


def _default_environment(folder: Path) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    user, password = folder / "minio_user", folder / "minio_password"
    user.write_text("shilu-test\n")
    password.write_text(f"{uuid.uuid4().hex}\n")
    return {
        "HOME": str(folder),
        "MINIO_BROWSER": "off",
        "MINIO_ROOT_PASSWORD_FILE": str(password),
        "MINIO_ROOT_USER_FILE": str(user),
        "MINIO_UPDATE": "off",
    }
