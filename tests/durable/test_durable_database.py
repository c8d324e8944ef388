"""How the databases are opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from hybridmandate.durable.database import open_engine


def test_sqlite_is_opened_for_many_writers(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/new/folder/d.db")
    with engine.connect() as connection:
        read = {
            p: connection.exec_driver_sql(f"PRAGMA {p}").scalar()
            for p in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    engine.dispose()
    assert read == {
        "journal_mode": "wal",
        "synchronous": 1,
        "busy_timeout": 30_000,
        "foreign_keys": 1,
    }


def test_a_writing_transaction_takes_the_lock_at_its_first_statement(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/d.db")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (n INTEGER)"))
    with engine.begin() as first:
        first.execute(sa.text("UPDATE t SET n = 1 WHERE n = 2"))  # changes no row, still locks
        with engine.connect() as second:
            second.exec_driver_sql("PRAGMA busy_timeout=1")
            with pytest.raises(sa.exc.OperationalError, match="locked"):
                second.execute(sa.text("INSERT INTO t VALUES (1)"))
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db"])
def test_a_database_that_cannot_carry_durable_work_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="durable work needs"):
        open_engine(url)


def test_the_port_is_imported_without_the_engine() -> None:
    code = (
        "import sys, hybridmandate.durable;"
        "assert not {'dbos', 'sqlalchemy', 'psycopg'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
