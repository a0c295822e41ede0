FILES = ("passfile", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir")
# What psycopg itself takes, and no server.
OF_THE_DRIVER = ("autocommit", "prepare_threshold", "async_")


def postgresql(connection):
    parameters = connection.get_connection_params()
    parameters["assume_role"] = connection.settings_dict["OPTIONS"].get("assume_role")
    return dict(texts(parameters)), variables("PG")


def texts(parameters):
    for name, value in parameters.items():
        name = {"database": "dbname"}.get(name, name)
        if isinstance(value, bool):
            value = int(value)
        if not isinstance(value, (str, int, float, os.PathLike)) or name in OF_THE_DRIVER:
            continue
        value = str(value)
        if name in FILES and value and value != "system":
            value = os.path.abspath(value)
        if value:
            yield name, value


ASK["postgresql"] = postgresql
