"""Parts of what was taken from the spool: what is left of it, its beginning, its halves."""

from __future__ import annotations

from collections.abc import Sequence

from cityos.ingest.pipeline import Numbered, sequence_after


def not_stored(groups: Sequence[Numbered], stored_up_to: int) -> list[Numbered]:
    """What is left of the groups when everything before a sequence number is stored."""
    left = []
    for group in groups:
        done = max(0, len(group.messages) - max(0, sequence_after(group) - stored_up_to))
        if done < len(group.messages):
            messages = group.messages[done:] if done else group.messages
            left.append(Numbered(group.first_id + done, group.received_at, messages))
    return left


def first(groups: Sequence[Numbered], most: int) -> Sequence[Numbered]:
    """The first so many messages."""
    taken: list[Numbered] = []
    for group in groups:
        if len(group.messages) > most:
            if most:
                taken.append(Numbered(group.first_id, group.received_at, group.messages[:most]))
            return taken
        taken.append(group)
        most -= len(group.messages)
    return groups


def halves_of(
    groups: Sequence[Numbered],
) -> tuple[Sequence[Numbered], Sequence[Numbered]] | None:
    """Two parts that together hold the same messages; None when there is only one message."""
    if len(groups) > 1:
        middle = len(groups) // 2
        return groups[:middle], groups[middle:]
    group = groups[0]
    middle = len(group.messages) // 2
    if middle == 0:
        return None
    first = Numbered(group.first_id, group.received_at, group.messages[:middle])
    second = Numbered(group.first_id + middle, group.received_at, group.messages[middle:])
    return [first], [second]
