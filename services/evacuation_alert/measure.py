"""One quantity of one gauge, held against its ladder of thresholds; and how to say it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from cityos.domain.alert_level import AlertLevel, Hazard
from cityos.domain.entity import Entity, Name
from cityos.domain.proposal import Evidence
from services.evacuation_alert.contribution import Contribution
from services.evacuation_alert.ladder import Footing, Point, Rung, climb, level_of, without_spikes
from services.evacuation_alert.texts import both, moment, number, span


def as_number(value: object) -> float | None:
    """Return a finite number as it is; None for text (``---``), truth values, NaN and nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """``margin``, ``spike`` and the thresholds of ``rungs`` are in ``unit``; spike 0 is off.

    ``digits`` is how many decimals a reader expects at least.
    """

    gauge: Entity
    place: Name
    hazard: Hazard
    observed_property: str
    quantity: Name
    unit: str
    digits: int
    rungs: tuple[Rung, ...]
    margin: float = 0.0
    spike: float = 0.0

    def level_of(self, value: object) -> AlertLevel:
        """The level that one reading alone calls for."""
        amount = as_number(value)
        return AlertLevel.NONE if amount is None else level_of(amount, self.rungs)

    def footing(
        self, points: list[Point], *, hold: timedelta, standing: AlertLevel
    ) -> Footing | None:
        """Where the gauge stands; None where nothing is known."""
        if self.spike:
            points = without_spikes(points, self.spike)
        return climb(points, self.rungs, hold=hold, margin=self.margin, standing=standing)

    def speaks(
        self, footing: Footing, hold: timedelta, *, since: datetime | None, lowest: AlertLevel
    ) -> Contribution:
        """What a gauge that still reports contributes to a situation that is open ``since``.

        Of the levels that it left, those below ``lowest`` are not worth a word.
        """
        left = [
            rung
            for rung, reached in footing.left
            if rung.level >= lowest
            and since is not None
            and (reached is None or reached.at >= since)
        ]
        rung = footing.rung
        if rung is None:
            summary = self._is_low(footing.newest)
        elif footing.is_held:
            summary = self._is_held(footing, rung, hold)
        elif left:
            summary = self._is_still_over(footing.newest, rung)
        else:
            summary = self._has_reached(footing.newest, rung)
        if left:  # the lowest says most: what is below it is below the others too
            summary = _joined(summary, self._has_left(left[-1], hold))
        shown = rung or (left[-1] if left else self._lowest)
        was = left[0].level if left else AlertLevel.NONE
        return self._contribution(footing.newest, shown, footing.level, summary, was)

    def is_silent(self, footing: Footing) -> Contribution | None:
        """What a gauge contributes that has sent nothing for too long: no level, but word of it.

        None where its last word called for nothing.
        """
        if footing.rung is None:
            return None
        summary = self._said_of(
            footing.newest,
            footing.rung,
            "{place} has sent no {quantity} since {time} (last {value}, {threshold_name} "
            "{threshold}): it no longer counts.",
            "{place}の{quantity}は{time}を最後に届いていないため判断に含めない"
            "（最後の値 {value}、{threshold_name} {threshold}）。",
        )
        return self._contribution(
            footing.newest, footing.rung, AlertLevel.NONE, summary, footing.level
        )

    @property
    def _lowest(self) -> Rung:
        return min(self.rungs, key=lambda rung: rung.threshold)

    def _contribution(
        self, newest: Point, shown: Rung, level: AlertLevel, summary: Name, was: AlertLevel
    ) -> Contribution:
        evidence = Evidence(
            kind="observation",
            source=self.gauge.id,
            level=level,
            summary=summary,
            at=newest.at,
            observed_property=self.observed_property,
            value=newest.value,
            threshold=shown.threshold,
            unit=self.unit,
        )
        return Contribution(evidence, was)

    def _has_reached(self, point: Point, rung: Rung) -> Name:
        return self._said_of(
            point,
            rung,
            "{place}: {quantity} {value} has reached the {threshold_name} {threshold} ({time}).",
            "{place}の{quantity} {value} が{threshold_name} {threshold} に到達（{time}）。",
        )

    def _is_still_over(self, point: Point, rung: Rung) -> Name:
        return self._said_of(
            point,
            rung,
            "{place}: {quantity} {value} is still at or above the {threshold_name} {threshold} "
            "({time}).",
            "{place}の{quantity} {value} は引き続き{threshold_name} {threshold} 以上（{time}）。",
        )

    def _said_of(self, point: Point, rung: Rung, en: str, ja: str) -> Name:
        return both(
            en,
            ja,
            place=self.place,
            quantity=self.quantity,
            value=self._amount(point.value),
            threshold_name=rung.name,
            threshold=self._amount(rung.threshold),
            time=moment(point.at),
        )

    def _is_held(self, footing: Footing, rung: Rung, hold: timedelta) -> Name:
        if footing.reached is None:
            reached = both(
                "{place}: {quantity} has been at or above the {threshold_name} {threshold};",
                "{place}の{quantity}は{threshold_name} {threshold} に到達済み。",
                place=self.place,
                quantity=self.quantity,
                threshold_name=rung.name,
                threshold=self._amount(rung.threshold),
            )
        else:
            reached = self._has_reached(footing.reached, rung)
            reached = Name(f"{reached.en[:-1]};", reached.ja)
        waiting = both(
            "it is {value} now ({time}), not yet {below} that level for {hold}.",
            "現在 {value}（{time}）で、{below}下回る状態がまだ{hold}続いていない。",
            value=self._amount(footing.newest.value),
            time=moment(footing.newest.at),
            below=self._below(),
            hold=_minutes(hold),
        )
        return _joined(reached, waiting)

    def _is_low(self, point: Point) -> Name:
        return both(
            "{place}: {quantity} {value} ({time}).",
            "{place}の{quantity} {value}（{time}）。",
            place=self.place,
            quantity=self.quantity,
            value=self._amount(point.value),
            time=moment(point.at),
        )

    def _has_left(self, rung: Rung, hold: timedelta) -> Name:
        return both(
            "It stayed {below} the {threshold_name} {threshold} for {hold}.",
            "{threshold_name} {threshold} を{below}下回る状態が{hold}続いた。",
            below=self._below(),
            threshold_name=rung.name,
            threshold=self._amount(rung.threshold),
            hold=_minutes(hold),
        )

    def _below(self) -> Name:
        if not self.margin:
            return Name("below", "")
        margin = self._amount(self.margin)
        return Name(f"more than {margin} below", f"{margin} より大きく")

    def _amount(self, value: float) -> str:
        return f"{number(value, self.digits)} {self.unit}"


def _minutes(hold: timedelta) -> Name:
    return span(int(hold.total_seconds()) // 60)


def _joined(first: Name, second: Name) -> Name:
    return Name(f"{first.en} {second.en}", f"{first.ja}{second.ja}")
