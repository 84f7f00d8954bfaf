from __future__ import annotations

from pathlib import Path

import pytest

from cityos import settings
from cityos.errors import SetupFailed


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_anything_the_city_is_a_demo_on_loopback_that_starts_its_own_servers(
    tmp_path: Path,
) -> None:
    found = settings.load()
    assert found.demo
    assert (found.http_host, found.mqtt_host) == ("127.0.0.1", "127.0.0.1")
    assert (found.database_url, found.mqtt_url, found.redis_url) == ("", "", "")
    assert found.home == tmp_path / ".cityos"


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cityos.toml").write_text('tenant = "file"\nhttp_port = 8100\ndemo = false\n')
    monkeypatch.setenv("CITYOS_TENANT", "environment")
    monkeypatch.setenv("CITYOS_HTTP_PORT", "8200")
    found = settings.load(http_port=8300, demo=None)
    assert (found.tenant, found.http_port, found.demo) == ("environment", 8300, False)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CITYOS_HTTP_PORT", "99999", "CITYOS_HTTP_PORT"),
        ("CITYOS_HTTP_PORT", "eighty", "CITYOS_HTTP_PORT"),
        ("CITYOS_DATABASE_URL", "mysql://x/y", "must start with postgresql://"),
        ("CITYOS_MQTT_URL", "http://x", "must start with mqtt://"),
        ("CITYOS_TENANT", "Yaizu City", "CITYOS_TENANT"),
        ("CITYOS_TILE_URL", "https://tiles.example/{z}", "must contain {z}, {x} and {y}"),
        ("CITYOS_FEED_INTERVAL_S", "1", "CITYOS_FEED_INTERVAL_S"),
        ("CITYOS_HTPP_PORT", "80", "did you mean CITYOS_HTTP_PORT?"),
        ("CITYOS_LOG_FORMAT", "xml", "CITYOS_LOG_FORMAT"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_do(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SetupFailed) as raised:
        settings.load()
    assert said in str(raised.value)


def test_the_message_about_a_wrong_url_does_not_repeat_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CITYOS_DATABASE_URL", "mysql://town:hunter2@db/city")
    with pytest.raises(SetupFailed) as raised:
        settings.load()
    assert "hunter2" not in str(raised.value)


def test_secrets_do_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, scheme in (("DATABASE", "postgresql"), ("MQTT", "mqtt"), ("REDIS", "redis")):
        monkeypatch.setenv(f"CITYOS_{name}_URL", f"{scheme}://town:hunter2@host/0")
    assert "hunter2" not in repr(settings.load())


@pytest.mark.parametrize(
    ("text", "said"),
    [("colour = 'red'\n", "colour"), ("tenant yaizu\n", "cityos.toml cannot be read")],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "cityos.toml").write_text(text)
    with pytest.raises(SetupFailed) as raised:
        settings.load()
    assert said in str(raised.value)
    assert "cityos.toml" in str(raised.value)


@pytest.mark.parametrize(("value", "proxies"), [("", ()), ("10.0.0.1, ::1", ("10.0.0.1", "::1"))])
def test_lists_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, value: str, proxies: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CITYOS_TRUSTED_PROXIES", value)
    assert settings.load().trusted_proxies == proxies


def test_plugins_have_their_settings_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "cityos.toml").write_text(
        "[plugins.evacuation_alert]\nstep_down_min = 30\n[feed_urls]\njma_xml = ['a://x']\n"
    )
    found = settings.load()
    assert found.plugins == {"evacuation_alert": {"step_down_min": 30}}
    assert found.feed_urls == {"jma_xml": ("a://x",)}


def test_an_empty_port_means_one_that_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITYOS_HTTP_PORT", "")
    assert settings.load().http_port is None
