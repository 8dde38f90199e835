"""The parts themselves: what a test may rely on when it asks for one."""

import io
import os
import select
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from minio.commonconfig import COMPLIANCE
from minio.error import S3Error
from minio.retention import Retention
from sqlalchemy import create_engine, text

from tests.parts.minio import Bucket, MinioServer
from tests.parts.postgres import PostgresServer
from tests.parts.process import PartError, ServerProcess
from tests.parts.require import PARTS, Part, require

ENVIRONMENT = {"PATH": os.environ["PATH"]}
MISSING = {"teleporter": Part(lambda: None, "apt-get install teleporter")}


class TestRequire:
    def test_a_part_that_is_there_is_returned(self) -> None:
        here = {"python": Part(lambda: Path(sys.executable), "it runs this")}
        assert require("python", parts=here, environment={}) == Path(sys.executable)

    def test_a_missing_part_skips_and_says_how_to_get_it(self) -> None:
        with pytest.raises(pytest.skip.Exception, match=r"teleporter is not .*: apt-get install teleporter"):
            require("teleporter", parts=MISSING, environment={})

    def test_a_missing_part_fails_where_all_are_required(self) -> None:
        with pytest.raises(pytest.fail.Exception, match="apt-get install teleporter"):
            require("teleporter", parts=MISSING, environment={"SHILU_TEST_REQUIRE": "all"})

    def test_an_unknown_name_is_an_error_and_no_skip(self) -> None:
        with pytest.raises(KeyError):
            require("telporter")

    @pytest.mark.parametrize("name", sorted(PARTS))
    def test_every_part_is_on_this_machine(self, name: str) -> None:
        assert require(name).exists()


class TestServerProcess:
    def test_a_server_that_ends_early_says_why(self, tmp_path: Path) -> None:
        server = python(tmp_path, "import sys; print('disk is missing'); sys.exit(3)")
        with pytest.raises(PartError, match=r"(?s)ended with code 3.*disk is missing"):
            server.wait_until(lambda: False, within_s=20)

    def test_a_server_that_never_answers_is_ended_at_its_deadline(self, tmp_path: Path) -> None:
        server = python(tmp_path, "import signal; signal.pause()")
        with pytest.raises(PartError, match="not ready within"):
            server.wait_until(lambda: False, within_s=0.1)
        assert not server.running

    def test_a_server_is_ended_when_looking_at_it_fails(self, tmp_path: Path) -> None:
        server = python(tmp_path, "import signal; signal.pause()")
        with pytest.raises(ZeroDivisionError):
            server.wait_until(lambda: bool(1 // 0), within_s=20)
        assert not server.running

    def test_a_server_that_ignores_the_signal_is_killed(self, tmp_path: Path) -> None:
        code = "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True); signal.pause()"
        server = python(tmp_path, code)
        server.wait_until(lambda: "up" in server.log.read_text(), within_s=20)
        server.stop(within_s=0.1)
        assert not server.running

    def test_a_killed_test_run_leaves_no_server(self, tmp_path: Path) -> None:
        code = (
            "import signal, sys; from pathlib import Path; from tests.parts.process import ServerProcess;"
            "server = ServerProcess([sys.executable, '-c', 'import signal; print(1, flush=True); signal.pause()'],"
            " log=Path(sys.argv[1]), environment={});"
            "server.wait_until(lambda: '1' in server.log.read_text(), within_s=20);"
            "print(server.pid, flush=True); signal.pause()"
        )
        run = subprocess.Popen([sys.executable, "-c", code, tmp_path / "log"], stdout=subprocess.PIPE, text=True)
        assert run.stdout is not None
        with run.stdout as output:
            server = os.pidfd_open(int(output.readline()))
            run.send_signal(signal.SIGKILL)
            run.wait()
        try:
            # A process's descriptor becomes readable when the process has ended.
            assert select.select([server], [], [], 20)[0], "the server outlived the run that started it"
        finally:
            os.close(server)


class TestMinio:
    def test_a_locked_version_cannot_be_deleted(self, minio_bucket: Bucket) -> None:
        put = minio_bucket.client.put_object(
            minio_bucket.name, "a", io.BytesIO(b"evidence"), 8, retention=Retention(COMPLIANCE, in_an_hour())
        )
        with pytest.raises(S3Error, match="WORM protected"):
            minio_bucket.client.remove_object(minio_bucket.name, "a", version_id=put.version_id)

    def test_a_bucket_without_lock_refuses_retention(self, minio: MinioServer) -> None:
        bucket = minio.make_bucket(object_lock=False)
        with pytest.raises(S3Error, match="InvalidRequest"):
            bucket.client.put_object(
                bucket.name, "a", io.BytesIO(b"evidence"), 8, retention=Retention(COMPLIANCE, in_an_hour())
            )

    def test_every_test_has_an_empty_bucket(self, minio_bucket: Bucket) -> None:
        assert list(minio_bucket.client.list_objects(minio_bucket.name)) == []

    def test_port_and_objects_survive_kill_and_restart(self, tmp_path: Path) -> None:
        with MinioServer(tmp_path) as server:
            bucket = server.make_bucket(object_lock=False)
            bucket.client.put_object(bucket.name, "a", io.BytesIO(b"kept"), 4)
            url = bucket.url
            server.kill()
            server.start()
            server.restart()
            assert bucket.url == url
            with bucket.client.get_object(bucket.name, "a") as answer:
                assert answer.read() == b"kept"

    def test_a_stopped_server_is_gone(self, tmp_path: Path) -> None:
        with MinioServer(tmp_path) as server:
            pid = server.pid
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


class TestPostgres:
    def test_every_test_has_an_empty_database(self, postgres_url: str) -> None:
        assert query(postgres_url, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == 0

    def test_databases_are_apart(self, postgres: PostgresServer) -> None:
        one, two = postgres.create_database(), postgres.create_database()
        query(postgres.url(one), "CREATE TABLE only_here (x int)", "SELECT 1")
        assert query(postgres.url(two), "SELECT to_regclass('only_here')") is None

    def test_a_wrong_password_is_refused(self, postgres: PostgresServer) -> None:
        url = postgres.url("postgres").replace(postgres.password, "guessed")
        with pytest.raises(Exception, match="password authentication failed"):
            query(url, "SELECT 1")

    def test_text_sorts_by_code_point(self, database_url: str) -> None:
        """Else a list of cases would change its order from one database to the other."""
        values = " UNION ALL ".join(f"SELECT '{word}' AS word" for word in ["b", "a", "B", "平", "甲"])
        engine = create_engine(database_url)
        with engine.connect() as connection:
            words = connection.scalars(text(f"SELECT word FROM ({values}) AS t ORDER BY word")).all()  # noqa: S608
        engine.dispose()
        assert words == sorted(["b", "a", "B", "平", "甲"])

    def test_port_and_rows_survive_kill_and_restart(self) -> None:
        with PostgresServer() as server:
            url = server.url(server.create_database())
            query(url, "CREATE TABLE kept (x int)", "INSERT INTO kept VALUES (7) RETURNING x")
            server.kill()
            server.start()
            server.restart()
            assert query(url, "SELECT x FROM kept") == 7

    def test_the_server_does_not_run_as_root(self, postgres: PostgresServer) -> None:
        assert Path(f"/proc/{postgres.pid}").stat().st_uid != 0


def python(folder: Path, code: str) -> ServerProcess:
    return ServerProcess([sys.executable, "-c", code], log=folder / "log", environment=ENVIRONMENT)


def query(url: str, *statements: str) -> object:
    """The first column of the first row of the last statement."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            *before, last = statements
            for statement in before:
                connection.exec_driver_sql(statement)
            return connection.exec_driver_sql(last).scalar()
    finally:
        engine.dispose()


def in_an_hour() -> datetime:
    """The server goes by its own clock, so here the real one counts."""
    return datetime.now(UTC) + timedelta(hours=1)
