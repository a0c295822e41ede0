REDIS_TEXTS = "host", "port", "path", "db", "username", "password", "ssl_check_hostname"
REDIS_FILES = "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"
# With these the servers, or what is trusted of them, are said in a way of their own.
REDIS_OWN = "credential_provider", "redis_connect_func", "ssl_ca_data", "ssl_ca_path", "ssl_password"
REDIS_CONNECTIONS = {"Connection": "redis", "SSLConnection": "rediss", "UnixDomainSocketConnection": "unix"}


def redis_of_django(cache):
    client = cache._cache
    if kind_of(client) != "django.core.cache.backends.redis.RedisCacheClient":
        return None
    return [client._pool_class.from_url(server, **client._pool_options) for server in client._servers]


def redis_of_package(cache):
    client = cache.client
    factory = client.connection_factory
    # Herd keeps an entry longer than it is valid; other clients spread entries, or find servers, in their own ways.
    known = "django_redis.client.default.DefaultClient", "django_redis.client.herd.HerdClient"
    if kind_of(client) not in known or kind_of(factory) != "django_redis.pool.ConnectionFactory":
        return None
    return [factory.get_connection_pool(factory.make_connection_params(server)) for server in client._server]


def redis(pools_of):
    def reach(cache):
        pools = pools_of(cache)
        servers = [redis_server(pool) for pool in pools or ()]
        return {"kind": "redis", "servers": servers} if servers and None not in servers else None

    return reach


def redis_server(pool):
    """What the client's connections to a server are made of; nothing if some of it is not known here."""
    scheme = REDIS_CONNECTIONS.get(pool.connection_class.__name__)
    given = {name: value for name, value in pool.connection_kwargs.items() if value is not None}
    if scheme is None or kind_of(pool, False) not in ("ConnectionPool", "BlockingConnectionPool"):
        return None
    if any(given.get(name) for name in REDIS_OWN):
        return None
    told = {name: utf8(name, str(given[name])) for name in REDIS_TEXTS if name in given}
    told.update((name, os.path.abspath(str(given[name]))) for name in REDIS_FILES if given.get(name))
    demanded = given.get("ssl_cert_reqs", "required")
    told["ssl_cert_reqs"] = str(getattr(demanded, "name", demanded)).lower().replace("cert_", "")
    return dict(told, scheme=scheme)


REACH["django.core.cache.backends.redis.RedisCache"] = redis(redis_of_django)
REACH["django_redis.cache.RedisCache"] = redis(redis_of_package)
