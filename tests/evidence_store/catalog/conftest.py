"""An empty catalog on each kind of database, and the site that its records come from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from evidence_store.catalog import Catalog
from tests.evidence_store.catalog.helpers import clear
from tests.evidence_store.chains import Site, make_site
from tests.parts.postgres import PostgresServer


@pytest.fixture(scope="session")
def shared_postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """One database for all tests that only need an empty catalog: emptying it is quicker than making another."""
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture(params=["sqlite", "postgres"])
def catalog_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where `catalog` is, for tests that open it once more."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalog.db'}"
    url: str = request.getfixturevalue("shared_postgres_url")
    return url


@pytest.fixture
def catalog(catalog_url: str, site: Site) -> Iterator[Catalog]:
    with Catalog.open(catalog_url) as catalog:
        clear(catalog, site)
        yield catalog


@pytest.fixture(scope="session")
def site() -> Site:
    return make_site()
