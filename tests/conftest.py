"""Fixtures for all tests: the real parts, shared by the whole run, and something of its own in each for every test.

A test that stops, kills or restarts a server starts one of its own: `with MinioServer(tmp_path) as server`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.parts.minio import Bucket, MinioServer
from tests.parts.postgres import PostgresServer

# Two busy cores make single examples slow at times, which says nothing about the code. The same examples on every run:
# a failure that CI saw is seen again at the desk.
settings.register_profile("shilu", deadline=None, derandomize=True)
settings.load_profile("shilu")


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with MinioServer(tmp_path_factory.mktemp("minio")) as server:
        yield server


@pytest.fixture
def minio_bucket(minio: MinioServer) -> Bucket:
    """An empty bucket with object lock. It stays until the run ends: what is locked cannot be deleted."""
    return minio.make_bucket(object_lock=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """An empty PostgreSQL database, as a URL for SQLAlchemy."""
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind: the test runs once on each."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalog.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url
