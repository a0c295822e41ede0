"""Says what Python's two unpicklers, _pickle.c and pickle.py, make of pickles, a line of base64 each, an object a line:

    c, python   what each made of it: {"error": ...}, or {"login": ..., "json": ..., "unpacked": ...}

`login` is the user id as text, null for somebody anonymous, false for what is no id; `json` is there where the session
is plain data. Nothing is imported and nothing is called: what a pickle names is a class of this program, which takes
everything. Of what is made by a call only those few are made that sessctl, too, knows how to make.
"""

import base64
import codecs
import io
import json
import math
import pickle
import resource
import sys
import uuid
import warnings

warnings.simplefilter("ignore")  # Octal escapes that are no byte.
# A pickle may ask for a memo of gigabytes with five bytes.
resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))


def python2(data, errors="strict"):
    """Strings of Python 2 do not say what their bytes mean."""
    try:
        return bytes(data).decode("utf-8"), len(data)
    except UnicodeDecodeError:
        return bytes(data).decode("latin-1"), len(data)


codecs.register(lambda name: codecs.CodecInfo(None, python2, name=name) if name == "python2" else None)

BUILTINS = {"bytearray", "bytes", "dict", "frozenset", "list", "object", "set", "str", "tuple", "unicode"}
MAPPINGS = {("collections", name) for name in ["OrderedDict", "Counter", "defaultdict"]}
KNOWN = {(module, name) for module in ["builtins", "__builtin__"] for name in BUILTINS} - {("builtins", "unicode")}
MAKERS = ["_reconstructor", "__newobj__", "__newobj_ex__"]
KNOWN |= {(module, name) for module in ["copyreg", "copy_reg"] for name in MAKERS}
KNOWN |= {("datetime", name) for name in ["date", "datetime", "time", "timedelta", "timezone"]}
KNOWN |= MAPPINGS | {("collections", "deque"), ("decimal", "Decimal"), ("uuid", "UUID"), ("_codecs", "encode")}
KNOWN |= {("django.utils.timezone", "UTC"), ("pytz", "_UTC"), ("pytz", "_p"), ("zoneinfo", "ZoneInfo._unpickle")}


class Named(type):
    """Something that a pickle names: it may be a class, a function, anything."""

    where = None
    __setstate__ = append = extend = add = property(lambda named: lambda *_: None)

    def __setitem__(named, key, value):
        pass


class Made(metaclass=Named):
    """What a call would have made."""

    def __new__(cls, /, *args, **kwargs):
        return opaque(cls, args, kwargs) if kwargs else call(cls, args)

    def __call__(self, *args):
        return opaque(self, args)

    def __setstate__(self, state):
        self.state = state

    def extend(self, more):
        if more and self.entries is None:
            self.items = [*(self.items or []), *more]

    def append(self, item):
        self.extend([item])

    add = append

    def __setitem__(self, key, value):
        self.items, self.entries = None, [*(self.entries or []), (key, value)]


def opaque(cls, args, kwargs=None, items=None, entries=None):
    if not isinstance(cls, (Named, Made)) or not isinstance(args, tuple):
        raise TypeError("nothing that can be called so")
    made = object.__new__(Made)
    made.cls, made.args, made.kwargs, made.state = cls, args, kwargs, None
    made.items, made.entries = items, entries
    return made


def known(named):
    """One of the builtins or another whose meaning is known, by the name it has in Python 3."""
    where = named.where if isinstance(named, Named) else None
    if where not in KNOWN:
        return None
    module, name = where
    return "str" if name == "unicode" else name


def items(value):
    """What iterating over a container gives."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    return value.items if isinstance(value, Made) else None


def sequence(value):
    """The items of a list or a tuple. In which order those of a set lie is Python's to choose."""
    return list(value) if isinstance(value, (list, tuple)) else None


def entries(value):
    if isinstance(value, dict):
        return list(value.items())
    if not isinstance(value, Made) or value.items is not None:
        return None
    if value.entries is None and len(value.args) == 1 and isinstance(value.args[0], dict):
        return list(value.args[0].items())
    return value.entries


def copied(args):
    """The entries of the mapping that a constructor makes of this, or None."""
    if not args:
        return []
    found = entries(args[0])
    if found is None and (pairs := sequence(args[0])) is not None:
        pairs = [sequence(pair) for pair in pairs]
        found = [tuple(pair) for pair in pairs] if all(pair and len(pair) == 2 for pair in pairs) else None
    for key, _ in found or []:
        hash(key)
    return found


class Garbled(bytearray):
    """What was made from text that is more than bytes."""

    __slots__ = ()


def call(cls, args):
    name = known(cls)
    if name == "__newobj__" and args:
        return opaque(args[0], args[1:])
    if name == "__newobj_ex__" and len(args) == 3:
        return opaque(*args)
    if name == "_reconstructor" and len(args) == 3:
        return reconstructed(*args)
    if name in ("list", "tuple", "set", "frozenset"):
        is_ordered = name in ("list", "tuple")
        found = (sequence if is_ordered else items)(args[0]) if args else []
        if found is not None:
            return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[name](found)
    if name == "dict" and (found := copied(args)) is not None:
        return dict(found)
    if (made := text_made(name, args)) is not None:
        return made
    if name in ("OrderedDict", "Counter"):
        return opaque(cls, args, entries=copied(args))
    if name == "defaultdict":
        return opaque(cls, args, entries=copied(args[1:]))
    if name == "deque":
        return opaque(cls, args, items=sequence(args[0]) if args else [])
    return opaque(cls, args)


def text_made(name, args):
    match name, args:
        case "encode", (str() | bytes() | bytearray() as text, "latin1" | b"latin1"):
            return text.encode("latin1") if isinstance(text, str) else bytes(text)
        case "str", (str() as text,):
            return text
        case "bytes" | "bytearray" as kind, () | (bytes() | bytearray(),):
            return {"bytes": bytes, "bytearray": bytearray}[kind](*args)
        case "bytearray", (str() | bytes() | bytearray() as text, str() | bytes() | bytearray()):
            try:
                return bytearray(text.encode("latin1") if isinstance(text, str) else text)
            except UnicodeEncodeError:
                return Garbled()
    return None


def reconstructed(cls, base, state):
    """How protocols 0 and 1 make an instance of a subclass."""
    base = known(base)
    if base == "object":
        return opaque(cls, ())
    if base == "tuple":
        return opaque(cls, state)
    if base == "dict" and (found := copied([state])) is not None:
        return opaque(cls, (), entries=found)
    if base == "list" and (found := sequence(state)) is not None:
        return opaque(cls, (), items=found)
    if base in ("set", "frozenset") and (found := items(state)) is not None:
        return opaque(cls, (), items=found)
    return opaque(cls, (state,))


def find_class(self, module, name):
    if not module or not name:
        raise ImportError("an empty name")
    return Named("named", (Made,), {"where": (module, name)})


class Whole(io.BytesIO):
    """A file that shows _pickle.c all of it, which then reads it as pickle.loads() does: a frame may end anywhere."""

    def peek(self, size):
        return self.getvalue()[self.tell() :]


class InC(pickle.Unpickler):
    find_class = find_class


class InPython(pickle._Unpickler):
    """Remembers whether a call had something else than a tuple, whose items pickle.py then takes for arguments."""

    find_class, dispatch, unpacked = find_class, dict(pickle._Unpickler.dispatch), False

    def watched(at, load):
        def loading(self):
            self.unpacked |= len(self.stack) >= -at and not isinstance(self.stack[at], tuple)
            load(self)

        return loading

    for opcode, at in [(pickle.REDUCE[0], -1), (pickle.NEWOBJ[0], -1), (pickle.NEWOBJ_EX[0], -2)]:
        dispatch[opcode] = watched(at, dispatch[opcode])


def text_of(value):
    """Text, or what was made from nothing but text, as an instance of a subclass of str is."""
    if isinstance(value, Made):
        made_of_text = known(value.cls) is None and value.kwargs is None and len(value.args) == 1
        if not made_of_text or value.items is not None or value.entries is not None:
            return None
        value = value.args[0]
    return value if isinstance(value, (str, bytes, bytearray)) and not isinstance(value, Garbled) else None


def understood(session):
    if not isinstance(session, Made):
        return True
    if session.kwargs is not None or session.items is not None:
        return False
    if session.entries is not None:
        return not session.args or isinstance(session.cls, Named) and session.cls.where in MAPPINGS
    is_of_dict = len(session.args) == 1 and isinstance(session.args[0], dict)
    return session.state is None and (not session.args or is_of_dict)


def login(session):
    if not understood(session):
        return False
    named = [(key, value) for key, value in entries(session) or [] if text_of(key) == "_auth_user_id"]
    if len({isinstance(key, str) for key, _ in named}) > 1:
        return False
    user = user_id(named[-1][1]) if named else None
    return False if user is None and hides(session) else user


# What these make is equal to no text.
NEVER_TEXT = {"object", "Decimal", "UUID", "date", "datetime", "time", "timedelta", "timezone", "UTC", "_UTC", "_p"}
NEVER_TEXT |= {"ZoneInfo._unpickle"}


def hides(session):
    """Whether a mapping may hold more than its keys show: a class of the site's own may, and an object may be any text."""
    pairs = entries(session)
    if pairs is None:
        return False
    if isinstance(session, Made) and not (isinstance(session.cls, Named) and session.cls.where in MAPPINGS):
        return True
    return any(may_be_any_text(key) for key, _ in pairs)


def may_be_any_text(key):
    if isinstance(key, Named):
        return known(key) is None
    return isinstance(key, Made) and known(key.cls) not in NEVER_TEXT and text_of(key) is None


def user_id(value):
    if value is None:
        return None
    if isinstance(value, int) or isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = text_of(value)
    if isinstance(text, str):
        try:
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            return False
    if text is not None:
        return python2(text)[0]
    if isinstance(value, Made) and known(value.cls) == "UUID" and isinstance(value.state, dict):
        number = value.state.get("int")
        if type(number) is int and 0 <= number < 1 << 128:
            return str(uuid.UUID(int=number))
    return False


def plain(value):
    """Whether JSON holds just this, and it is not too much to write: one list may lie in another that is the same."""
    todo, left = [value], 400
    while todo and left:
        value, left = todo.pop(), left - 1
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                return False
            todo += [*value.keys(), *value.values()]
        elif type(value) in (list, tuple):
            todo += value
        elif isinstance(value, str):
            if any("\ud800" <= character <= "\udfff" for character in value):
                return False
        elif isinstance(value, float):
            if not math.isfinite(value):
                return False
        elif value is not None and not isinstance(value, int):
            return False
    return not todo


def verdict(unpickler, data):
    unpickler = unpickler(Whole(data), encoding="python2")
    try:
        session = unpickler.load()
    except Exception as error:
        return {"error": ascii(f"{type(error).__name__}: {error}"[:200])}
    return {
        "login": login(session),
        "json": json.dumps(session) if plain(session) else None,
        "unpacked": getattr(unpickler, "unpacked", False),
    }


for line in sys.stdin:
    data = base64.urlsafe_b64decode(line.strip() + "==")
    print(json.dumps({"c": verdict(InC, data), "python": verdict(InPython, data)}))
