"""Writes texts as they might stand in session_data, one JSON string a line: rows.py SEED COUNT

Sessions of real Django and made-up ones, in every layout, damaged before or after they are signed, or not at all.
SITE_SECRET_KEY and SITE_OLD_SECRET_KEY sign most of them, a stranger's key the others.
"""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import random
import sys
import zlib

CORPUS = pathlib.Path(__file__).parents[2] / "fixtures/corpus.jsonl"
KEYS = [os.environ["SITE_SECRET_KEY"]] * 6 + [os.environ["SITE_OLD_SECRET_KEY"]] * 2 + ["a stranger's key"]
SALTS = ["django.contrib.sessions.SessionStoresigner"] * 9 + ["django.contrib.sessions.CustomStoresigner"]
CLASSES = ["django.contrib.sessionsSessionStore"] * 9 + ["django.contrib.sessionsCustomStore"]
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

IDS = ['"42"', '"7"', "42", "0", "-0", "-17", "10000000000000000000000", "true", "false", "null", "1.0", "-0.0", "1.5"]
IDS += ["1e3", "1E400", "1e-400", "NaN", "Infinity", "-Infinity", "[]", "{}", '["42"]', '{"_auth_user_id":"42"}', '""']
IDS += ['" 42 "', r'"\u0034\u0032"', r'"\ud83d\ude00"', r'"\ud83d"', r'"\ude00\ud83d"', r'"a\"b\\c\/\n"']
IDS += ['"é"', '"\xff"', '"ce6db715-bb98-0199-4cff-7a7d3eff1a4f"', '"☃"']
NAMES = ['"_auth_user_id"'] * 6 + ['"_auth_user_backend"', '"_auth_user_hash"', '"cart"', '""', '"_auth_user_ids"']
NAMES += [r'"\u005fauth_user_id"', '"_AUTH_USER_ID"', r'"_auth_user_id\u0000"', '"é"']
VALUES = ['"django.contrib.auth.backends.ModelBackend"', '"_auth_user_id"', r'"\"_auth_user_id\":\"7\""', "[1,2]"]
VALUES += ["[[[[]]]]", '{"a":{"_auth_user_id":"7"}}', "[NaN,-Infinity]", "1e999", "00", "01", "-", "1.", ".5", "+1"]
VALUES += ["'7'", '"\x7f"', '"\t"', r'"\x41"', r'"\u12"', "tru", "nul", "[1,]", "{,}", '{"a"}', "undefined", ""]


def value(rng):
    return rng.choice(rng.choice([IDS] * 6 + [VALUES[:7]] * 4 + [VALUES]))


def document(rng):
    """A session, more or less."""
    gap = lambda: rng.choice([""] * 20 + [" ", "\n\t", "\r\n"]) if rng.random() < 0.995 else "\x0b"
    members = [gap() + rng.choice(NAMES) + gap() + ":" + gap() + value(rng) + gap() for _ in range(rng.randrange(5))]
    text = gap() + "{" + ",".join(members) + "}" + gap()
    if rng.random() < 0.1:
        before, after = rng.choice([("[", "]"), ('"', '"'), ("", ","), ("\ufeff", ""), ("null", ""), ("", "7")])
        text = before + text + after
    return text.encode(rng.choice(["utf-8", "latin-1"]), "replace")


def payloads():
    """What serializers of real sites wrote."""
    found = set()
    for line in CORPUS.open():
        row = json.loads(line)
        text = row["session_data"]
        try:
            if row["layout"] == "signed":
                data = text.rsplit(":", 2)[0]
                raw = base64.urlsafe_b64decode(data.lstrip(".") + "==")
                found.add(zlib.decompress(raw) if data.startswith(".") else raw)
            elif row["layout"] == "hmac_b64":
                found.add(base64.b64decode(text)[41:])
        except (ValueError, zlib.error):
            pass
    return sorted(payload for payload in found if len(payload) < 4_000)


def damage(rng, data, pool):
    """The same text or bytes with something amiss."""
    at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    some = data[:0].join(rng.choice(pool) for _ in range(rng.randint(1, 3)))
    match rng.randrange(7):
        case 0:
            return data[:at] + some + data[at + len(some) :]
        case 1:
            return data[:at] + some + data[at:]
        case 2:
            return data[:at]
        case 3:
            return data[:at] + data[end:]
        case 4:
            return data[:end] + data[at:]
        case 5:
            return data[at:]
        case _:
            return data + data


def sometimes(rng, chance, data, pool):
    return damage(rng, data, pool) if rng.random() < chance else data


BYTES = [bytes([byte]) for byte in range(256)] + [bytes([byte]) for byte in b'"\\{}[]:,0123456789'] * 8
ASCII = [chr(byte) for byte in range(1, 127)] + list(":.=-_+/ \n") * 8
TEXT = ASCII + list("é☃😀\u2028") * 4


def deflated(rng, payload):
    """As zlib.compress() has it, or as some other program might."""
    if rng.random() < 0.6:
        return zlib.compress(payload)
    bits, strategy = rng.choice([15, 15, 9, -15, 31]), rng.choice([zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_RLE])
    how = dict(level=rng.randrange(10), wbits=bits, strategy=strategy)
    if bits == 15 and rng.random() < 0.1:
        how["zdict"] = b"_auth_user_id"
    stream = zlib.compressobj(**how)
    half, flush = rng.randrange(len(payload) + 1), rng.choice([zlib.Z_NO_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH])
    data = stream.compress(payload[:half]) + stream.flush(flush)
    return data + stream.compress(payload[half:]) + stream.flush() + rng.choice([b"", b"", b"junk"])


def encoded(rng, data):
    """Base64, without padding, or with something that decoders pass over."""
    text = base64.urlsafe_b64encode(data).decode().rstrip("=")
    match rng.randrange(12):
        case 0:
            return base64.b64encode(data).decode()
        case 1:
            return text + "=" * rng.randint(1, 4)
        case 2:
            return damage(rng, text, ASCII)
        case _:
            return text


def saved(rng):
    moment, text = rng.randrange(1_600_000_000, 1_800_000_000), ""
    while moment:
        moment, digit = divmod(moment, 62)
        text = BASE62[digit] + text
    odd = ["", "-", "0", "-1", "+1", "z" * 20, "1_0", " 1", "é", "1:1", "1xUwpu "]
    return rng.choice(odd) if rng.random() < 0.08 else text


def sign(rng, salt, message, digest):
    secret = digest(salt.encode() + rng.choice(KEYS).encode()).digest()
    return hmac.new(secret, message, digest)


def signed(rng, payload):
    """The layout of Django 3.1 and later."""
    data = payload
    dot = rng.choice(["", ".", "."]) if rng.random() < 0.97 else ".."
    if dot:
        data = sometimes(rng, 0.12, deflated(rng, payload), BYTES)
    text = dot + encoded(rng, data)
    if rng.random() < 0.98:
        text += ":" + saved(rng)
    text = sometimes(rng, 0.05, text, TEXT)
    digest = rng.choice([hashlib.sha256] * 5 + [hashlib.sha1])
    mac = sign(rng, rng.choice(SALTS), text.encode(), digest).digest()
    signature = base64.urlsafe_b64encode(mac).decode().rstrip("=")
    odd = [signature + "=", signature[:-1], signature.swapcase(), base64.b64encode(mac).decode(), " " + signature]
    return text + ":" + (rng.choice(odd) if rng.random() < 0.05 else signature)


def legacy(rng, payload):
    """The layout of Django 1.3 to 3.0."""
    inner = sign(rng, rng.choice(CLASSES), payload, hashlib.sha1).hexdigest()
    inner = inner.upper() if rng.random() < 0.05 else inner
    data = sometimes(rng, 0.1, inner.encode() + b":" + payload, BYTES)
    text = rng.choice([base64.b64encode, base64.encodebytes, base64.urlsafe_b64encode])(data).decode()
    # Django 1.5 to 3.0 passed over what is beyond ASCII, 3.2 refuses it.
    return sometimes(rng, 0.1, text, ASCII)


def md5(rng, payload):
    """The layout of Django 1.2."""
    return base64.encodebytes(payload + hashlib.md5(payload + rng.choice(KEYS).encode()).hexdigest().encode()).decode()


def row(rng, real):
    payload = rng.choice(real) if rng.random() < 0.3 else document(rng)
    payload = sometimes(rng, 0.15, payload, BYTES)
    if rng.random() < 0.04:
        return md5(rng, payload)
    if rng.random() < 0.25:
        return legacy(rng, payload)
    return sometimes(rng, 0.1, signed(rng, payload), TEXT)


def main():
    rng, real = random.Random(int(sys.argv[1])), payloads()
    for _ in range(int(sys.argv[2])):
        print(json.dumps(row(rng, real)))


main()
