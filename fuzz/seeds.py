"""Writes first inputs of the targets, from rows that real Django wrote, into a folder: seeds.py FOLDER"""

import base64
import hashlib
import json
import pathlib
import sys
import zlib

ROOT = pathlib.Path(__file__).parent.parent
# What fuzz/src/sealed.rs makes of the first byte.
SIGNED, LEGACY, COMPRESSED, SHA1, AS_STORED = 0, 2, 4, 8, 0x80


def payload(row):
    """The serialized session of a row, and how it is stored; None where that cannot be told."""
    text = row["session_data"]
    try:
        if row["layout"] == "signed":
            data = text.rsplit(":", 2)[0]
            raw = base64.urlsafe_b64decode(data.lstrip(".") + "==")
            if data.startswith("."):
                return zlib.decompress(raw), COMPRESSED
            return raw, SIGNED
        raw = base64.b64decode(text)
        return (raw[41:], LEGACY) if row["layout"] == "hmac_b64" else (raw[:-32], SIGNED)
    except (ValueError, zlib.error):
        return None, None


def main():
    folder = pathlib.Path(sys.argv[1])

    def put(target, data):
        if len(data) <= 4096:
            path = folder / target / hashlib.sha1(data).hexdigest()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    for line in (ROOT / "fixtures/corpus.jsonl").open():
        row = json.loads(line)
        put("decode", bytes([AS_STORED]) + row["session_data"].encode())
        content, how = payload(row)
        if content is not None:
            put("decode", bytes([how]) + content)
            if content[:1] in (b"\x80", b"(", b"}", b"c"):
                put("pickle", content)
    for text in [
        "uuser\0p\0w\0db.example.com:5432/site?sslmode=require",
        "uu\0a@\0/b\0[::1]:1,h:2/d",
        "u\0p#\0?x=1\0h/d",
        "qu@h/d\0a\0b\0sslmode=verify-full&sslrootcert=system&options=-c%20x",
        "phost=h user=u\0'\0\\\0dbname='my site' port=5432",
        "smysql://u\0p\0w\0h/d",
        "spostgres:/u\0p\0\0h/d",
        "ssqlite:///db\0\0\0/x?timeout=5",
        "/srv/site/db.sqlite3",
        "upostgis+psycopg://u@h1,h2/d?currentSchema=a&ssl=1&conn_max_age=60",
    ]:
        put("url", text.encode())
    uuid = "12345678-1234-5678-1234-567812345678"
    for text in [
        "f1\n 2 \r\n\ufeff3\n1\n",
        f"u{uuid}\0{uuid.replace('-', '').upper()}",
        "u42\0" + "042",
        't"odd.schema".django_session',
        't"a""b"."c"',
        "tpublic.django_session",
        "d1h30m",
        "d30d",
        "d2 weeks 1.5s ago",
        "s2026-11-20T14:30+01:00\0" + "2026-11-21",
        "s30d",
    ]:
        put("ids", text.encode())


main()
