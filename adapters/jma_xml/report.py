"""The parts that all telegrams share: 管理部 (Control) and ヘッダ部 (Head).

Source: 気象庁防災情報XMLフォーマット 仕様 and its schemas jmx.xsd and jmx_ib.xsd.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from adapters.jma_xml.document import (
    Element,
    duration,
    each,
    first,
    required,
    required_time,
    text,
    time,
)
from cityos.domain.alert import AlertInfo, MessageType
from cityos.errors import UndecodablePayload

JMX: Final = "http://xml.kishou.go.jp/jmaxml1/"

_DRILL: Final = {"通常": False, "訓練": True, "試験": True}
_MESSAGE_TYPES: Final = {
    "発表": MessageType.ALERT,
    "遅延": MessageType.ALERT,
    "訂正": MessageType.UPDATE,
    "取消": MessageType.CANCEL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A telegram before its family reads it. Times are aware UTC.

    ``telegram`` is the kind as JMA's list of data types names it (VPWW54), ``title`` the
    Control/Title that it was told by, ``head_title`` the Head/Title, for people. ``drill`` is
    True for 訓練 and 試験.
    """

    telegram: str
    root: Element
    head: Element
    body: Element | None
    title: str
    sent_at: datetime
    drill: bool
    editorial_office: str
    publishing_office: str
    head_title: str
    reported_at: datetime
    target_at: datetime | None
    target_duration: timedelta | None
    valid_until: datetime | None
    event_id: str
    info_type: str
    message_type: MessageType
    serial: str
    headline: str

    @property
    def cancelled(self) -> bool:
        return self.message_type is MessageType.CANCEL

    @property
    def digest(self) -> str:
        """Ten hexadecimal digits of what the telegram says, layout aside.

        Its header does not tell it apart: a flood forecast goes out in full and in brief under
        the same time, event and serial.
        """
        said = hashlib.sha256()
        for element in self.root.iter():
            for part in (element.tag, (element.text or "").strip(), *element.attrib.values()):
                said.update(str(part).encode() + b"\0")
        return said.hexdigest()[:10]

    def information(self, kind: str) -> list[Element]:
        """Return the items of the headline's Information whose type contains ``kind``."""
        return [
            item
            for information in each(self.head, "Headline/Information")
            if kind in information.get("type", "")
            for item in each(information, "Item")
        ]

    def warning(self, kind: str) -> list[Element]:
        """Return the items of the body's Warning whose type contains ``kind``."""
        return [
            item
            for warning in each(self.body, "Warning")
            if kind in warning.get("type", "")
            for item in each(warning, "Item")
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a family reads out of a report. ``note`` says what was left unread, and why."""

    infos: tuple[AlertInfo, ...]
    valid_until: datetime | None = None
    note: str = ""


def is_report(root: Element) -> bool:
    return root.tag == f"{{{JMX}}}Report"


def control_title(root: Element) -> str:
    """Return what tells the kind of telegram.

    Raises:
        UndecodablePayload: the report has no Control/Title.
    """
    return required(root, "Control/Title")


def read_report(root: Element, telegram: str) -> Report:
    """Return the report's parts, the body unread.

    Raises:
        UndecodablePayload: a part that every telegram has is missing or has an unknown value.
    """
    status = _one_of(root, "Control/Status", tuple(_DRILL))
    info_type = _one_of(root, "Head/InfoType", tuple(_MESSAGE_TYPES))
    head = first(root, "Head")
    if head is None:  # pragma: no cover - _one_of has seen to it
        raise UndecodablePayload("Head is missing", path="/Report")
    return Report(
        telegram=telegram,
        root=root,
        head=head,
        body=first(root, "Body"),
        title=control_title(root),
        sent_at=required_time(root, "Control/DateTime"),
        drill=_DRILL[status],
        editorial_office=required(root, "Control/EditorialOffice"),
        publishing_office=text(root, "Control/PublishingOffice"),
        head_title=required(head, "Title"),
        reported_at=required_time(head, "ReportDateTime"),
        target_at=time(head, "TargetDateTime"),
        target_duration=duration(head, "TargetDuration"),
        valid_until=time(head, "ValidDateTime"),
        event_id=text(head, "EventID"),
        info_type=info_type,
        message_type=_MESSAGE_TYPES[info_type],
        serial=text(head, "Serial"),
        headline=text(head, "Headline/Text"),
    )


def _one_of(root: Element, path: str, allowed: tuple[str, ...]) -> str:
    """A value that we do not know could mean a drill or a cancellation: it is refused."""
    found = required(root, path)
    if found not in allowed:
        message = f"{path} is {found[:40]!r}, which is not one of {', '.join(allowed)}"
        raise UndecodablePayload(message, path=f"/Report/{path}")
    return found
