"""A part of probe.py: takes secrets out of what an error of the project says."""

def without_secrets(error):
    """Its text without what may be a part of a password or a key: of the environment, of the settings as far as they are
    loaded, and of the modules and functions that it went through."""
    text = str(error)
    known = [(name.upper(), value) for name, value in os.environ.items()]
    for frame, _ in traceback.walk_tb(error.__traceback__):
        named = list(frame.f_globals.items()) + list(frame.f_locals.items())
        known += [(name, value) for name, value in named if name not in ORDINARY]
    settings = getattr(sys.modules.get("django.conf"), "settings", None)
    if settings is not None and settings.configured:
        known += [(name, setting(settings, name)) for name in dir(settings) if name.isupper()]
    seen = set()
    secrets = {secret for name, value in known for secret in secrets_of(str(name), value, seen)}
    parts = {part for secret in secrets for part in parts_of(secret)}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "...")
    text = without_pieces(text, secrets)
    return re.sub(r"//\S*@", "//...@", text)


def without_pieces(text, secrets):
    """Without any eight characters in a row of one of them, as far as these are found in little time."""
    pieces = {secret[at : at + 8] for secret in secrets for at in range(min(len(secret), 10000) - 7)}
    kept, at = [], 0
    while at < len(text):
        end = at
        while text[end : end + 8] in pieces:
            end += 1
        kept.append("..." if end > at else text[at])
        at = end + 7 if end > at else at + 1
    return "".join(kept)


def setting(settings, name):
    try:
        return getattr(settings, name)
    except Exception:  # An empty SECRET_KEY, for one.
        return None


SECRET = re.compile("SECRET|PASS|PWD|KEYS?$|KEY_FALLBACKS$|TOKEN|DSN|CREDENTIAL", re.IGNORECASE)
HARMLESS = re.compile("^(OLD)?PWD$|(HASHERS|VALIDATORS)$|_(FILE|PATH|DIR)$")
PASSWORD_IN = re.compile(r"(pass\w*|pwd?)\s*=|:[^/\s]*@", re.IGNORECASE)
# What code calls all kinds of things.
ORDINARY = "key", "keys", "token", "tokens"
# What errors say, too.
COMMON = set(
    "5432 6379 base cast could database dbname django from host http https import integer localhost module name named none"
    " pass passwd password port settings text true user username".split()
)


def secrets_of(name, value, seen, depth=0):
    """The secrets in a variable or setting: what has a telling name, all that is inside of it, and passwords in URLs and
    key=value pairs."""
    tells = bool(SECRET.search(name))
    if depth < 6 and len(seen) < 20000 and (id(value), tells) not in seen:
        for key, item, deeper in inside(name, value):
            seen.add((id(value), tells))
            inner = key if SECRET.search(key) or not tells else name
            yield from secrets_of(inner, item, seen, depth + deeper)
    if issubclass(type(value), bytes):
        value = value.decode("latin-1")
    if not issubclass(type(value), str) or HARMLESS.search(name):
        return
    if "://" in value:
        login, _, place = value.partition("://")[2].rpartition("@")
        user, colon, password = (login or place).partition(":")
        yield password if colon or not login else user
        yield place.partition("?")[2]
    elif SECRET.search(name) or PASSWORD_IN.search(value):
        yield value


def inside(name, value):
    """What a container or an object holds, under which names, and how deep that is."""
    # A lazy object of Django would be evaluated by isinstance().
    kind = type(value)
    if issubclass(kind, dict):
        return [(str(key), item, 1) for key, item in list(value.items())]
    if issubclass(kind, (list, tuple, set, frozenset)):
        return [(name, item, 1) for item in list(value)]
    if issubclass(kind, (type, type(sys), str, bytes)) or callable(value):
        return []
    try:
        return [(str(key), item, 3) for key, item in list(vars(value).items())]
    except Exception:  # It has no attributes of its own.
        return []


def parts_of(secret):
    """The whole, and what is left of it where code takes it apart."""
    for text in (secret, unquote(secret)):
        for part in [text] + re.split(r"[\s:/@#?&=;,.'\"\\]+", text):
            if len(part) > 3 and part.lower() not in COMMON:
                yield part
