def sqlite(connection):
    from urllib.parse import unquote, urlsplit

    name = str(connection.settings_dict["NAME"])
    if name.startswith("file:"):
        name = ":memory:" if "mode=memory" in name else unquote(urlsplit(name).path)
    return {"database": name if name == ":memory:" else os.path.abspath(name)}, {}


ASK["sqlite"] = sqlite
