"""The tables that are measured on: each made once, and copied for every run that changes it."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pymysql

PROGRAMS = Path(os.environ["SESSCTL_BENCH_PROGRAMS"]).absolute()
SECRET_KEY = "only-of-benchmarks"
# What has expired did so in 2024, what is live is so until 2045: see benches/generate.
DELETE = "DELETE FROM django_session WHERE expire_date < '2030-01-01'"


def generate(output, rows, *options, **popen):
    """Start the generator."""
    command = [PROGRAMS / "examples/generate", output, "--rows", str(rows), *options]
    return subprocess.Popen(command, env={"SECRET_KEY": SECRET_KEY}, **popen)


class Sqlite:
    """A file in one of the two journal modes."""

    def __init__(self, journal, rows, *options):
        self.folder = tempfile.TemporaryDirectory(prefix="sessctl-bench-")
        self.original = Path(self.folder.name) / "original.sqlite3"
        self.file = self.original.with_name("copy.sqlite3")
        self.url = f"sqlite:///{self.file}"
        assert generate(self.original, rows, *options).wait() == 0
        with closing(sqlite3.connect(self.original)) as connection:
            connection.execute(f"PRAGMA journal_mode = {'wal' if journal == 'wal' else 'delete'}")

    def fresh(self):
        """Copy the table."""
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{self.file}{suffix}").unlink(missing_ok=True)
        shutil.copy(self.original, self.file)
        os.sync()

    def single_delete(self):
        """One statement on the copy."""
        with closing(sqlite3.connect(self.file)) as connection, connection:
            connection.execute(DELETE)

    def count(self):
        """Rows in the copy."""
        with closing(sqlite3.connect(self.file)) as connection:
            return connection.execute("SELECT count(*) FROM django_session").fetchone()[0]

    def drop(self):
        """Remove it all."""
        self.folder.cleanup()


class Postgres:
    """A database of the private server, which is as durable as others while it is measured."""

    SETTINGS = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "autovacuum": "off"}
    TABLE = """
        CREATE TABLE django_session (session_key varchar(40) NOT NULL PRIMARY KEY,
            session_data text NOT NULL, expire_date timestamp with time zone NOT NULL);
        CREATE INDEX django_session_session_key_c0390e0f_like ON django_session (session_key varchar_pattern_ops);
        CREATE INDEX django_session_expire_date_a5c62663 ON django_session (expire_date)"""

    def __init__(self, rows, *options):
        self.server = os.environ["SESSCTL_TEST_POSTGRES"]
        base = self.server.rpartition("/")[0]
        self.original, self.url = f"{base}/original", f"{base}/copy"
        for name, value in self.SETTINGS.items():
            self._on_server(f"ALTER SYSTEM SET {name} = {value}")
        self._on_server("SELECT pg_reload_conf()", "DROP DATABASE IF EXISTS original", "CREATE DATABASE original")
        with psycopg.connect(self.original, autocommit=True) as connection:
            connection.execute(self.TABLE)
            generator = generate("-", rows, *options, stdout=subprocess.PIPE)
            with connection.cursor().copy("COPY django_session FROM STDIN") as copy:
                while block := generator.stdout.read(1 << 20):
                    copy.write(block)
            assert generator.wait() == 0
            connection.execute("VACUUM ANALYZE django_session")

    def _on_server(self, *statements):
        with psycopg.connect(self.server, autocommit=True) as connection:
            return [connection.execute(statement) for statement in statements]

    def fresh(self):
        """Copy the table."""
        self._on_server("DROP DATABASE IF EXISTS copy WITH (FORCE)", "CREATE DATABASE copy TEMPLATE original", "CHECKPOINT")
        os.sync()

    def single_delete(self):
        """One statement on the copy."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(DELETE)

    def count(self):
        """Rows in the copy."""
        with psycopg.connect(self.url) as connection:
            return connection.execute("SELECT count(*) FROM django_session").fetchone()[0]

    def log(self):
        """The server's log."""
        with psycopg.connect(self.server) as connection:
            return Path(connection.execute("SHOW data_directory").fetchone()[0]) / "server.log"

    def log_statements(self, longer_than):
        """Have the server log statements that take so many milliseconds; -1 for none."""
        self._on_server(f"ALTER SYSTEM SET log_min_duration_statement = {longer_than}", "SELECT pg_reload_conf()")

    def drop(self):
        """Remove it all."""
        self._on_server("DROP DATABASE IF EXISTS copy WITH (FORCE)", "DROP DATABASE original")


class MySql:
    """Two databases of the private MariaDB server, which is as durable as others while it is measured, but for its binary log."""

    SETTINGS = {"innodb_flush_log_at_trx_commit": 1, "innodb_buffer_pool_size": 1 << 30, "local_infile": 1}
    TABLE = """
        CREATE TABLE django_session (session_key varchar(40) NOT NULL PRIMARY KEY,
            session_data longtext NOT NULL, expire_date datetime(6) NOT NULL,
            KEY django_session_expire_date_a5c62663 (expire_date))"""

    def __init__(self, rows, *options):
        self.server = os.environ["SESSCTL_TEST_MYSQL"]
        self.url = f"{self.server.rpartition('/')[0]}/copy"
        settings = ", ".join(f"GLOBAL {name} = {value}" for name, value in self.SETTINGS.items())
        self.on("mysql", f"SET {settings}")
        self.drop()
        self.on("mysql", "CREATE DATABASE original")
        self.on("original", self.TABLE)
        load = (
            "LOAD DATA LOCAL INFILE '/dev/stdin' INTO TABLE django_session (session_key, session_data, @expires)"
            " SET expire_date = REPLACE(@expires, '+00', '')"
        )
        generator = generate("-", rows, *options, stdout=subprocess.PIPE)
        subprocess.run(self.client("original", "--local-infile=1", "-e", load), stdin=generator.stdout, check=True)
        assert generator.wait() == 0

    def at(self, database):
        """Where the driver connects to."""
        parts = urlsplit(self.server)
        host = {"host": parts.hostname, "port": parts.port, "user": parts.username, "password": parts.password}
        return {**host, "database": database}

    def client(self, database, *options):
        """The command line of MariaDB's client."""
        at = self.at(database)
        place = [f"--host={at['host']}", f"--port={at['port']}", f"--user={at['user']}", f"--password={at['password']}"]
        return ["mariadb", "--no-defaults", *place, *options, database]

    def on(self, database, *statements):
        """Run statements, and return the first column of the last one's first row."""
        with closing(pymysql.connect(**self.at(database), autocommit=True)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            row = cursor.fetchone()
            return row[0] if row else None

    def fresh(self):
        """Copy the table."""
        self.on("mysql", "DROP DATABASE IF EXISTS copy", "CREATE DATABASE copy")
        self.on("copy", self.TABLE, "INSERT INTO django_session SELECT * FROM original.django_session")
        self.on("copy", "ANALYZE TABLE django_session")
        os.sync()

    def single_delete(self):
        """One statement on the copy."""
        self.on("copy", "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", DELETE)

    def count(self):
        """Rows in the copy."""
        return self.on("copy", "SELECT count(*) FROM django_session")

    def drop(self):
        """Remove it all."""
        self.on("mysql", "DROP DATABASE IF EXISTS copy", "DROP DATABASE IF EXISTS original")
