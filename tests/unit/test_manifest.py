"""A manifest is read without running the plugin, and every mistake in it is named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cityos.errors import InvalidPlugin
from cityos.plugins import manifest
from cityos.plugins.manifest import Kind, Tier

COMMON = """\
id = "acme"
entry = "plugin:Acme"
version = "1.2.3"
quality = "silver"
owner = "ACME"
licence = "MIT"
title = {en = "ACME", ja = "アクメ"}
specification = {title = "Manual", version = "2026", url = "https://acme.example/manual"}
"""
DECODER = COMMON + 'kind = "decoder"\nobserves = ["water_level", "battery_level"]\n'
FEED = (
    COMMON + 'kind = "feed"\nalerts = true\nurls = ["https://acme.example/feed"]\nevery_s = 60\n'
    'data_licence = "CC-BY-4.0"\n'
)
SERVICE = COMMON + 'kind = "service"\nconsumes = ["water_level"]\nalerts = true\n'

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, *, file: str = "adapter.toml", folder: str = "acme") -> Path:
        where = tmp_path / folder
        where.mkdir(exist_ok=True)
        (where / file).write_text(text, encoding="utf-8")
        return where

    return write


def test_a_decoder(write: Write) -> None:
    read = manifest.read(write(DECODER))
    assert (read.kind, read.quality, read.title.ja) == (Kind.DECODER, Tier.SILVER, "アクメ")
    assert (read.module, read.class_name) == ("plugin", "Acme")
    assert read.versioned_id == "acme@1.2.3"
    assert read.names("water_level")
    assert not read.names("speed")


def test_a_feed_and_a_service(write: Write) -> None:
    assert manifest.read(write(FEED)).every_s == 60
    text = SERVICE.replace('"acme"', '"listener"')
    service = manifest.read(write(text, file="service.toml", folder="listener"))
    assert service.alerts
    assert service.names("water_level")


def test_a_star_stands_for_every_property(write: Write) -> None:
    everything = DECODER.replace('["water_level", "battery_level"]', '["*"]')
    assert manifest.read(write(everything)).names("speed")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (DECODER + 'color = "red"\n', "color: unknown key; there are id, kind, entry"),
        (DECODER.replace('ja = "アクメ"', 'fr = "ACME"'), "title.ja: Field required"),
        (DECODER.replace('"acme"', '"other"'), "id is 'other' but the folder is 'acme'"),
        (DECODER.replace("1.2.3", "1.2"), "version: String should match pattern"),
        (DECODER.replace("silver", "shiny"), "quality: Input should be 'bronze', 'silver'"),
        (DECODER.replace("plugin:Acme", "plugin.Acme"), "entry: String should match pattern"),
        (DECODER.replace("battery_level", "batery"), "observes: batery not in the list"),
        (DECODER.replace("battery_level", "water_level"), "observes: a property is listed twice"),
        (DECODER.replace("observes", "consumes"), "consumes has no meaning for a decoder"),
        (DECODER + "every_s = 5\n", "every_s has no meaning for a decoder; take it out"),
        (COMMON + 'kind = "decoder"\n', "a decoder needs observes"),
        (FEED.replace("every_s = 60", "every_s = 0"), "every_s: Input should be greater than"),
        (FEED.replace('urls = ["https://acme.example/feed"]', ""), "a feed needs urls"),
        (FEED.replace("https://acme.example/feed", "file:///etc/passwd"), "urls.0: String should"),
        (FEED.replace('data_licence = "CC-BY-4.0"', ""), "a feed needs data_licence"),
        (FEED.replace("alerts = true", ""), "a feed needs alerts or observes"),
        (SERVICE.replace('"water_level"', '"*"'), "consumes: * not in the list"),
        (SERVICE, "kind 'service' does not belong into adapter.toml"),
        (DECODER.replace('"acme"', "acme"), "is not TOML: "),
        ("x" * 70_000, "is larger than 65536 bytes"),
    ],
)
def test_what_is_wrong_is_named(write: Write, text: str, says: str) -> None:
    with pytest.raises(InvalidPlugin) as caught:
        manifest.read(write(text))
    assert says in str(caught.value)
    assert "adapter.toml" in str(caught.value)


def test_all_mistakes_come_at_once(write: Write) -> None:
    text = DECODER.replace("1.2.3", "1.2").replace("silver", "shiny") + "x = 1\n"
    with pytest.raises(InvalidPlugin, match=r"version: .*quality: .*x: unknown key"):
        manifest.read(write(text))


def test_bytes_that_are_no_text(write: Write) -> None:
    folder = write(DECODER)
    (folder / "adapter.toml").write_bytes(b"id = '\xff'")
    with pytest.raises(InvalidPlugin, match="is not TOML"):
        manifest.read(folder)


def test_a_folder_has_one_manifest(write: Write, tmp_path: Path) -> None:
    with pytest.raises(
        InvalidPlugin, match=r"needs one of adapter\.toml and service\.toml, has none"
    ):
        manifest.read(tmp_path)
    folder = write(DECODER)
    write(SERVICE, file="service.toml")
    with pytest.raises(InvalidPlugin, match="has both"):
        manifest.read(folder)
