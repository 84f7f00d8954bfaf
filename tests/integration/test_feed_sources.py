"""What a city's feeds fetch: its own data says it, and the operator has the last word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cityos import settings
from cityos.bootstrap.demo import demo_city
from cityos.bootstrap.feeds import feed_sources
from cityos.plugins.contract import Fetch
from cityos.plugins.discovery import discover
from cityos.rehearsal import city_files
from cityos.storage.database import Database
from cityos.storage.registry import PostgresRegistry
from cityos.testing import builders as b

LISTING = Path(__file__).parents[2] / "adapters/jma_xml/cases/listing/input.xml"


@pytest.mark.parametrize(
    ("chosen", "prefectures"),
    [
        ({}, {"22"}),
        ({"jma_xml": {"prefectures": ["12"]}}, {"12"}),
        ({"jma_xml": {"prefectures": []}}, {"12", "22"}),
    ],
    ids=["the city's own", "another by the operator", "the country by the operator"],
)
def test_the_demo_city_fetches_the_telegrams_of_its_own_prefecture(
    database_url: str, chosen: Mapping[str, Any], prefectures: set[str]
) -> None:
    database = Database(database_url, application="test-feeds", max_size=1)
    try:
        registry = PostgresRegistry(database)
        city_files.register(demo_city(), registry)
        said = settings.load(plugins=chosen)
        (source,) = feed_sources(said, discover(settings=said.plugins), registry)
    finally:
        database.close()
    receipt = b.receipt(device=source.device, settings=source.settings)
    fetched = source.feed.read(LISTING.read_bytes(), receipt)
    urls = " ".join(item.url for item in fetched if isinstance(item, Fetch))
    assert set(re.findall(r"_VPWW56_(\d\d)0000\.xml", urls)) == prefectures
    assert "_VXSE53_" in urls, "an earthquake is of no prefecture"
