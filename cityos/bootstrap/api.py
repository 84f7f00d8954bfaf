"""``cityos api``: joins the doors of the city to its store, and serves them."""

from __future__ import annotations

import redis
from prometheus_client import CollectorRegistry, ProcessCollector
from redis.backoff import NoBackoff
from redis.retry import Retry

from cityos.api.app import create_app
from cityos.api.readiness import Check
from cityos.api.server import serve
from cityos.bootstrap import connect
from cityos.bootstrap.dispatch import CHANNELS
from cityos.bootstrap.issuers import Issuers
from cityos.bootstrap.keys import key_ring
from cityos.clock import SystemClock
from cityos.identity.key_ring import ROLES
from cityos.identity.quotas import Quota, TokenBuckets
from cityos.identity.shared_quotas import SharedQuotas
from cityos.messaging.live import RedisLiveBus
from cityos.settings import Settings
from cityos.storage.database import Database
from cityos.storage.news import AlertNews
from cityos.storage.orders import PostgresOrderBook
from cityos.storage.reader import PostgresCityReader
from cityos.storage.registry import PostgresRegistry
from cityos.web.pages import PageConfig
from cityos.web.pages import router as page_router

_DEFAULT_PORT = 8080
_PROBE_S = 1.0


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    found = connect.addresses(settings, "database_url", "redis_url")
    url, clock = found.database_url, SystemClock()
    database = Database(
        url,
        application="cityos-api",
        min_size=2,
        max_size=settings.database_connections,
        autocommit=True,
    )
    # questions of keys and decisions do not queue up behind somebody's long history
    orderly = Database(url, application="cityos-api-orders", max_size=3)
    reader = PostgresCityReader(database)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    anonymous, with_key = Quota.parse(settings.anonymous_quota), Quota.parse(settings.key_quota)
    buckets = TokenBuckets({"anonymous": anonymous, **dict.fromkeys(ROLES, with_key)}, clock=clock)
    quotas = SharedQuotas(buckets, found.redis_url)
    news = AlertNews(url, application="cityos-api-news")
    probe = redis.Redis.from_url(
        found.redis_url, socket_timeout=_PROBE_S, retry=Retry(NoBackoff(), 0)
    )
    app = create_app(
        reader=reader,
        orders=PostgresOrderBook(orderly, channels=CHANNELS),
        keys=key_ring(settings, orderly),
        limiter=quotas,
        clock=clock,
        default_tenant=settings.tenant,
        issuer_of=Issuers(PostgresRegistry(orderly)),
        bus=RedisLiveBus(found.redis_url, clock=clock),
        alert_news=news,
        checks=[
            Check("database", lambda: _ask(database)),
            Check("live bus", probe.ping, required=False),
        ],
        pages=[
            page_router(
                PageConfig(tile_url=settings.tile_url, tile_attribution=settings.tile_attribution),
                settings.tenant,
                reader.tenant,
            )
        ],
        registry=registry,
        public_url=settings.public_url,
    )
    quotas.start()
    try:
        serve(
            app,
            host=settings.http_host,
            port=settings.http_port or _DEFAULT_PORT,
            trusted_proxies=",".join(settings.trusted_proxies),
        )
    finally:
        quotas.close()
        news.close()
        probe.close()
        orderly.close()
        database.close()


def _ask(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("SELECT 1")
