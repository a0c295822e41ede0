"""Writes pickles as no Python would leave them, one a line in base64: pickles.py SEED COUNT

Of all protocols: sessions of real Django, objects that Python pickled just now, opcodes put together; damaged, or not.
"""

import base64
import collections
import datetime
import decimal
import io
import json
import pathlib
import pickle
import random
import struct
import sys
import uuid
import zlib

CORPUS = pathlib.Path(__file__).parents[2] / "fixtures/corpus.jsonl"
LOGIN, BACKEND = "_auth_user_id", "_auth_user_backend"
TEXTS = ["42", "7", "", "é", "☃😀", "\ud83d", "\ude00\ud83d", "a\\u0041", "it's", "\x00\x7f\x85", LOGIN, "cart", "int"]
INTS = [0, 1, -1, 42, 255, 256, 65535, 65536, 2**31 - 1, -(2**31), 2**63 - 1, 2**63, -(2**63) - 1, 10**40]
FLOATS = [0.0, -0.0, 1.0, 42.0, 1.5, -1e300, 1e-300, float("inf"), float("nan")]
GLOBALS = """shop.cart Cart, django.utils.safestring SafeText, os system, builtins dict, builtins list, builtins object,
    builtins bytearray, __builtin__ set, __builtin__ unicode, collections OrderedDict, collections defaultdict,
    uuid UUID, copyreg _reconstructor, copy_reg __newobj__, _codecs encode, datetime datetime, decimal Decimal, é Ü"""
GLOBALS = [tuple(name.split()) for name in GLOBALS.split(",")]
ODD_INTS = [b"I00", b"I01", b"I010", b"I0x1f", b"I 7 ", b"I1_0", b"I+5", b"L 1_0 L", b"L0b11L", b"I1\x002", b"I-01"]
ODD_INTS += [b"I 1", b"L+7L", b"L0x_fL", b"I9223372036854775808", b"I", b"LL", b"I08", b"L\xd9\xa1L"]
ODD_FLOATS = [b"F 1_0.5", b"F1_0", b"F1e5", b"F.5", b"F1.", b"F-Infinity", b"FnAn", b"F1e999", b"F0x1p3", b"F1.5 "]
ODD_FLOATS += [b"F42.0", b"F1.5\x00z", b"F+1.5", b"F1__0", b"F", b"F\t\x0b1.5\x0c", b"F1e", b"F.", b"F1_e5"]


class Opcodes:
    """Puts opcodes together that for the most part can be read, and may do what no pickler does."""

    def __init__(self, rng):
        self.rng, self.chunks, self.memo = rng, [], []

    def put(self, *chunks):
        self.chunks += chunks

    def text(self, text=None):
        rng = self.rng
        text = rng.choice(TEXTS) if text is None else text
        raw = text.encode("utf-8", "surrogatepass")
        line = text.encode("raw-unicode-escape").replace(b"\n", b"\\u000a")
        self.put(
            rng.choice(
                [
                    b"V" + line + b"\n",
                    b"X" + struct.pack("<I", len(raw)) + raw,
                    b"\x8c" + bytes([len(raw)]) + raw,
                    b"\x8d" + struct.pack("<Q", len(raw)) + raw,
                    b"U" + bytes([len(raw)]) + raw,
                    b"T" + struct.pack("<i", len(raw)) + raw,
                    b"S" + repr(raw)[1:].encode() + b"\n",
                ]
            )
        )

    def bytes(self):
        raw = self.rng.choice([b"", b"42", b"\xff\x00", "é".encode(), LOGIN.encode()])
        size = struct.pack("<Q", len(raw))
        self.put(self.rng.choice([b"C" + size[:1], b"B" + size[:4], b"\x8e" + size, b"\x96" + size]) + raw)

    def int(self):
        rng, n = self.rng, self.rng.choice(INTS)
        raw = pickle.encode_long(n)
        forms = [b"I%d\n" % n, b"L%dL\n" % n, b"L%d\n" % n, b"\x8a" + bytes([len(raw)]) + raw]
        forms += [b"\x8b" + struct.pack("<i", len(raw)) + raw]
        low = struct.pack("<Q", n & 2**64 - 1)
        forms += [b"J" + low[:4], b"K" + low[:1], b"M" + low[:2]]
        self.put(rng.choice(ODD_INTS) + b"\n" if rng.random() < 0.15 else rng.choice(forms))

    def float(self):
        rng, x = self.rng, self.rng.choice(FLOATS)
        forms = [b"G" + struct.pack(">d", x), b"F%r\n" % x if x == x else b"Fnan\n"]
        self.put(rng.choice(ODD_FLOATS) + b"\n" if rng.random() < 0.3 else rng.choice(forms))

    def many(self, depth, most=3):
        for _ in range(self.rng.randrange(most + 1)):
            self.value(depth)

    def pairs(self, depth, opcode=None):
        for _ in range(self.rng.randrange(4)):
            self.key(depth)
            self.value(depth)
            self.put(*[opcode] * (opcode is not None))

    def key(self, depth):
        rng = self.rng
        kind = rng.random()
        if kind < 0.75:
            self.text(rng.choice([LOGIN, LOGIN, BACKEND, "cart", *TEXTS]))
        elif kind < 0.97:
            rng.choice([self.int, self.float, self.bytes, self.constant, self.remembered])()
        else:
            self.value(depth)

    def constant(self):
        self.put(self.rng.choice([b"N", b"\x88", b"\x89", b")", b"]", b"}", b"\x8f"]))

    def tuple(self, depth):
        size = self.rng.randrange(5)
        self.put(*[b"("] * (size == 4))
        for _ in range(self.rng.randrange(5) if size == 4 else size):
            self.value(depth)
        self.put([b")", b"\x85", b"\x86", b"\x87", b"t"][size])

    def list(self, depth):
        rng = self.rng
        match rng.randrange(3):
            case 0:
                self.put(b"(")
                self.many(depth)
                self.put(b"l")
            case 1:
                self.put(b"]", b"(")
                self.many(depth)
                self.put(b"e")
            case 2:
                self.put(b"]")
                for _ in range(rng.randrange(3)):
                    self.value(depth)
                    self.put(b"a")

    def dict(self, depth):
        match self.rng.randrange(3):
            case 0:
                self.put(b"(")
                self.pairs(depth)
                self.put(b"d")
            case 1:
                self.put(b"}", b"(")
                self.pairs(depth)
                self.put(b"u")
            case 2:
                self.put(b"}")
                self.pairs(depth, b"s")

    def set(self, depth):
        opening, closing = self.rng.choice([([b"\x8f", b"("], b"\x90"), ([b"("], b"\x91")])
        self.put(*opening)
        for _ in range(self.rng.randrange(3)):
            self.key(depth)
        self.put(closing)

    def named(self):
        module, name = self.rng.choice(GLOBALS)
        if self.rng.random() < 0.6:
            self.put(b"c%s\n%s\n" % (module.encode(), name.encode()))
        else:
            self.text(module)
            self.text(name)
            self.put(b"\x93")

    def call(self, depth):
        rng = self.rng
        match rng.randrange(5):
            case 0:
                self.put(b"(")
                self.many(depth)
                self.put(b"i%s\n%s\n" % tuple(name.encode() for name in rng.choice(GLOBALS)))
            case 1:
                self.put(b"(")
                self.named()
                self.many(depth)
                self.put(b"o")
            case 2:
                self.named()
                self.tuple(depth)
                self.put(b"}")
                for _ in range(rng.randrange(2)):
                    self.text("key")
                    self.value(depth)
                    self.put(b"s")
                self.put(b"\x92")
            case _:
                self.named()
                if rng.random() < 0.04:
                    self.value(depth)
                else:
                    self.tuple(depth)
                self.put(rng.choice([b"R", b"\x81"]))

    def filled(self, depth):
        """Something that takes more: an object, or what no pickler would give this to."""
        rng = self.rng
        if rng.random() < 0.8:
            self.call(depth)
        else:
            self.value(depth)
        match rng.randrange(5):
            case 0:
                self.put(b"(")
                self.pairs(depth)
                self.put(b"u")
            case 1:
                self.put(b"(")
                self.many(depth)
                self.put(rng.choice([b"e", b"\x90"]))
            case 2:
                self.value(depth)
                self.put(b"a")
            case _:
                rng.choice([self.constant, self.constant, lambda: self.value(depth)])()
                self.put(*[self.rng.choice([b"\x85", b"\x86"])] * (rng.random() < 0.1), b"b")

    def remembered(self):
        if not self.memo or self.rng.random() < 0.03:
            return self.constant()
        at = self.rng.choice(self.memo)
        self.put(self.rng.choice([b"g%d\n" % at, b"j" + struct.pack("<I", at), b"h" + bytes([at & 255])]))

    def remember(self):
        rng = self.rng
        if rng.random() < 0.5:
            at = len(set(self.memo))
            self.put(b"\x94")
        else:
            at = rng.choice([len(self.memo), rng.randrange(300)])
            short = [b"q" + bytes([at & 255])] * (at < 256)
            self.put(rng.choice([b"p%d\n" % at, b"r" + struct.pack("<I", at), *short]))
        self.memo.append(at)

    def noise(self, depth):
        match self.rng.randrange(5):
            case 0:
                self.put(b"2", b"0")
            case 1:
                self.put(b"(")
                self.many(depth)
                self.put(b"1")
            case 2:
                self.put(b"(", b"0")
            case 3:
                self.value(depth)
                self.put(b"0")
            case 4:
                self.put(b"\x80" + bytes([self.rng.randrange(6)]))

    def value(self, depth=3):
        rng = self.rng
        if depth == 0 or rng.random() < 0.5:
            rng.choice([self.text, self.text, self.int, self.float, self.bytes, self.constant, self.remembered])()
        else:
            kinds = [self.tuple, self.list, self.dict, self.set, self.call, self.filled]
            rng.choice(kinds)(depth - 1)
        if rng.random() < 0.15:
            self.remember()
        if rng.random() < 0.04:
            self.noise(0)

    def session(self):
        rng = self.rng
        if rng.random() < 0.15:
            rng.choice([self.filled, self.dict, self.value])(3)
        else:
            self.put(b"}")
            for _ in range(rng.randrange(4)):
                self.key(2)
                self.value(3)
                self.put(b"s")
        self.put(b".")
        if rng.random() < 0.25:
            self.frame()
        return b"".join(self.chunks)

    def frame(self):
        """Around some of the opcodes, or as no pickler would."""
        rng, chunks = self.rng, self.chunks
        begin, end = sorted(rng.randrange(len(chunks) + 1) for _ in range(2))
        size = sum(map(len, chunks[begin:end]))
        if rng.random() < 0.2:
            size += rng.choice([1, -1, 5, 1_000])
        chunks.insert(begin, b"\x95" + struct.pack("<Q", max(size, 0)))


def thing(rng, depth=3):
    """An object such as sessions hold."""
    if depth == 0 or rng.random() < 0.5:
        moment = datetime.datetime(2026, 11, 28, 3, 0, tzinfo=rng.choice([None, datetime.timezone.utc]))
        kinds = [TEXTS, INTS, FLOATS, [None, True, False, b"", b"42", bytearray(b"7"), moment, moment.date()]]
        kinds += [[uuid.UUID(int=42), decimal.Decimal("1.50"), datetime.timedelta(1, 2, 3), complex(1, 2), range(3)]]
        return rng.choice(rng.choice(kinds))
    some = [thing(rng, depth - 1) for _ in range(rng.randrange(4))]
    plain = [item for item in some if isinstance(item, (str, int, float, bytes))]
    pairs = list(zip([*plain, LOGIN, "a"], some))
    kinds = [list, tuple, collections.deque, lambda _: set(plain), lambda _: frozenset(plain), lambda _: dict(pairs)]
    kinds += [lambda _: collections.OrderedDict(pairs), lambda _: collections.defaultdict(list, pairs)]
    return rng.choice([*kinds, lambda _: [some, some]])(some)


def pickled(rng):
    session = {LOGIN: thing(rng, 0)} if rng.random() < 0.7 else {}
    session.update((rng.choice(TEXTS), thing(rng)) for _ in range(rng.randrange(4)))
    if rng.random() < 0.1:
        kinds = [collections.OrderedDict, collections.Counter, lambda it: [it], lambda it: (it, it)]
        session = rng.choice(kinds)(session)
    out = io.BytesIO()
    rng.choice([pickle.Pickler, pickle._Pickler])(out, rng.randrange(6)).dump(session)
    return out.getvalue()


def stored():
    """Pickles that real Django wrote, in Python 2 and 3."""
    found = set()
    for line in CORPUS.open():
        row = json.loads(line)
        if not row["serializer"].startswith("pickle"):
            continue
        try:
            if row["layout"] == "signed":
                data = row["session_data"].rsplit(":", 2)[0]
                raw = base64.urlsafe_b64decode(data.lstrip(".") + "==")
                found.add(zlib.decompress(raw) if data.startswith(".") else raw)
            else:
                raw = base64.b64decode(row["session_data"])
                found.add(raw[:-32] if row["layout"] == "md5" else raw[41:])
        except (ValueError, zlib.error):
            pass
    return sorted(payload for payload in found if len(payload) < 3_000)


OPCODES = b"NIJKMLF]})(tuesdlab0R.12cio\x81\x85\x86\x88\x94\x91\x93"
PIECES = [bytes([byte]) for byte in [*range(256), *OPCODES * 4]]
PIECES += [b"K\x2a", b"\x8c\x0d_auth_user_id", b"U\x0d_auth_user_id", b"Nb", b"}b", b")b", b"(0", b"S'7'\n", b"F 1_0\n"]


def damaged(rng, data):
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        near = min(end, at + rng.randrange(1, 6))
        piece = rng.choice(PIECES)
        changed = [data[:at] + piece + data[at + len(piece) :], data[:at] + piece + data[at:], data[:at] + data[near:]]
        changed += [data[:near] + data[at:], data[:at], data[:at] + data[end:], data[:end] + data[at:]]
        data = rng.choice(changed[:4] if rng.random() < 0.8 else changed)
    return data


def main():
    rng, real = random.Random(int(sys.argv[1])), stored()
    for _ in range(int(sys.argv[2])):
        kind = rng.random()
        if kind < 0.5:
            data = Opcodes(rng).session()
            data = damaged(rng, data) if rng.random() < 0.3 else data
        else:
            data = pickled(rng) if kind < 0.7 else rng.choice(real)
            data = damaged(rng, data) if rng.random() < 0.7 else data
        if data[:1] not in (b"\x80", b"}", b"(", b"c"):
            # No pickle of a session begins otherwise, so sessctl takes it for none.
            data = b"\x80\x02" + data
        print(base64.urlsafe_b64encode(data).decode().rstrip("="))


main()
