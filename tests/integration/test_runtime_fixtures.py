"""The fixtures that every other integration test stands on."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cityos.runtime.broker import MqttBroker, accepts
from cityos.runtime.postgres import PostgresServer


@pytest.mark.parametrize("round_", [1, 2])
def test_every_test_gets_a_migrated_database_without_the_rows_of_another(
    database_url: str, round_: int
) -> None:
    with psycopg.connect(database_url) as connection:
        before = connection.execute("SELECT count(*) FROM tenant").fetchone()
        connection.execute("INSERT INTO tenant (id, name_en, name_ja) VALUES ('t', 'T', 'T')")
    assert before == (0,), round_


def test_the_redis_of_a_test_is_empty_and_asks_for_a_password(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
    without_password = f"redis://{redis_url.partition('@')[2]}"
    with (
        redis.Redis.from_url(without_password, retry=Retry(NoBackoff(), 0)) as client,
        pytest.raises(redis.RedisError),
    ):
        client.ping()


@pytest.mark.parametrize("version", [4, 5])
def test_the_broker_lets_every_user_of_the_fixture_in(
    mqtt_broker: MqttBroker, version: int
) -> None:
    port = mqtt_broker.port_v5 if version == 5 else mqtt_broker.port
    for user, password in mqtt_broker.passwords.items():
        assert accepts(mqtt_broker.host, port, user, password, version=version), user


def test_a_server_of_its_own_comes_back_with_its_data_after_a_kill(
    start_own_postgres: Callable[..., PostgresServer],
) -> None:
    first = start_own_postgres()
    with psycopg.connect(first.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    first.kill()
    again = start_own_postgres(first.home, port=first.port)
    with psycopg.connect(again.url) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
