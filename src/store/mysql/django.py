MYSQL_FILES = ("read_default_file", "ssl_ca", "ssl_cert", "ssl_key", "ssl_capath", "server_public_key_path")
# What the drivers have two names for.
MYSQL_NAMES = {"db": "database", "passwd": "password", "socket": "unix_socket"}


def mysql(connection):
    parameters = connection.get_connection_params()
    # What stands in OPTIONS counts, also where the settings have it under another name.
    parameters.update(connection.settings_dict["OPTIONS"])
    parameters = {MYSQL_NAMES.get(name, name): value for name, value in parameters.items()}
    driver = connection.Database.__name__
    encrypted(parameters, driver)
    if driver == "MySQLdb":
        # MYSQL_HOST is read by programs, and not by the library.
        names = "MYSQL_PWD", "MYSQL_TCP_PORT", "MYSQL_UNIX_PORT", "MYSQL_GROUP_SUFFIX"
        environment = {name: value for name, value in variables("MYSQL_").items() if name in names}
    else:
        environment = {}
        place_of_python(parameters, driver)
    return dict(mysql_texts(parameters)), environment


def encrypted(parameters, driver):
    """What is in the dict of files that the drivers take as `ssl`, as options of their own."""
    files = parameters.get("ssl")
    if isinstance(files, bool) or not files:
        return
    parameters["ssl"] = True
    if not hasattr(files, "items"):
        parameters["ssl_context"] = "an object"
        return
    for name, value in files.items():
        if name in ("ca", "cert", "key", "capath"):
            parameters["ssl_" + name] = value
    if driver == "pymysql" and files.get("ca") and files.get("check_hostname", True):
        parameters["ssl_verify_identity"] = True


def place_of_python(parameters, driver):
    """Drivers that are written in Python mean a port by localhost, and the socket where one is named."""
    if parameters.get("unix_socket"):
        parameters["host"] = None
    elif not parameters.get("read_default_file"):
        parameters["host"] = parameters.get("host") or ("127.0.0.1" if driver == "mysql.connector" else "localhost")
        parameters["protocol"] = "tcp"


def mysql_texts(parameters):
    for name, value in parameters.items():
        if isinstance(value, bool):
            value = int(value)
        if isinstance(value, (str, int, float, os.PathLike)) and str(value):
            yield name, os.path.abspath(os.path.expanduser(value)) if name in MYSQL_FILES else str(value)


ASK["mysql"] = mysql
