"""Which clauses of CAP 1.2 (OASIS Standard, 1 July 2010) and RFC 4287 this door claims to meet.

Each is proven by a test in ``tests/conformance/cap`` that names it.
"""

from __future__ import annotations

from enum import StrEnum


class CapClause(StrEnum):
    """Clauses of CAP 1.2 that every document we write meets."""

    SCHEMA = "CAP-1.2 section 3.4: valid against the XML schema of the standard"
    IDENTIFIER = "CAP-1.2 section 3.2.1 identifier, sender: no space, comma, < or &"
    STATUS = "CAP-1.2 section 3.2.1 status: Actual or Exercise, as the alert's own type says"
    NOTE = "CAP-1.2 section 3.2.1 note: an Exercise explains itself"
    MESSAGE_TYPE = "CAP-1.2 section 3.2.1 msgType: Alert, Update and Cancel make one chain"
    REFERENCES = "CAP-1.2 section 3.2.1 references: sender,identifier,sent as the message had them"
    LANGUAGE = "CAP-1.2 section 3.2.2 language: one info for each language, same facts"
    EVENT_CODE = "CAP-1.2 section 3.2.2 eventCode: valueName and value"
    POLYGON = "CAP-1.2 section 3.2.4 polygon: latitude,longitude; four pairs or more; closed"
    GEOCODE = "CAP-1.2 section 3.2.4 geocode: valueName and value"
    DATE_TIME = "CAP-1.2 section 3.3.2 dateTime: whole seconds, numeric offset, UTC as -00:00"
    CHARACTERS = "CAP-1.2 section 3.3.1: UTF-8, no character that XML 1.0 forbids"


class AtomClause(StrEnum):
    """Clauses of RFC 4287 (Atom) that the feed of alerts meets."""

    FEED = "RFC 4287 section 4.1.1: id, title, updated, author, self link"
    UPDATED = "RFC 4287 section 4.2.15: the newest alert's time; without one, the feed's own"
    ENTRY = "RFC 4287 section 4.1.2: stable id, title, updated, alternate link, summary"
    PAGES = "RFC 5005 section 3: a next link while there are older alerts"
