"""The form of a blueprint: what stands in its fields, as typed, and the draft that it means."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from question_bank.blueprint_changes import BlueprintDraft
from question_bank.models import CellLevel, ItemType, McRule
from question_bank.queries import EquatingTarget

if TYPE_CHECKING:
    from litestar.datastructures import FormMultiDict

    from question_bank.blueprints import BankHealth
    from question_bank.cells import CellKey
    from question_bank.queries import BlueprintView

_PERCENTS = ("local_percent", "exposure_percent", "overlap_percent")
_TARGETS = ("target_ability", "target_score", "target_information")
_FIELDS = ("minutes", "pass_score", *_PERCENTS, *_TARGETS)
_LONGEST_NUMBER = 10
_NO_NUMBER = -1  # which no field takes
_THOUSAND = 1000
_FAR_OFF = 10**6


@dataclass(frozen=True, slots=True)
class FormRow:
    """The counts of one area and level, by type."""

    number: int
    area: int
    level: CellLevel
    counts: dict[ItemType, str]


@dataclass(frozen=True, slots=True)
class BlueprintForm:
    """The whole form. `new_row` is the number of the row that was just added."""

    based_on: str
    values: dict[str, str]
    mc_rule: McRule
    shows_key_points: bool
    has_target: bool
    rows: tuple[FormRow, ...]
    new_row: int = field(default=0)

    def with_row(self, area: int) -> BlueprintForm:
        """One more row for an area, of the first level that it has not got yet."""
        taken = {row.level for row in self.rows if row.area == area}
        level = next((level for level in CellLevel if level not in taken), None)
        if level is None or not taken:
            return self
        number = max(row.number for row in self.rows) + 1
        row = FormRow(number, area, level, dict.fromkeys(ItemType, "0"))
        last = max(place for place, other in enumerate(self.rows) if other.area == area)
        return replace(self, rows=(*self.rows[: last + 1], row, *self.rows[last + 1 :]), new_row=number)

    def without_row(self, number: int) -> BlueprintForm:
        """One row less, if it is not the area's last."""
        areas = [row.area for row in self.rows if row.number != number]
        return replace(self, rows=tuple(row for row in self.rows if row.number != number or row.area not in areas))

    def draft(self) -> BlueprintDraft:
        """What it means; what is no number becomes one that is refused."""
        counts: dict[CellKey, int] = {}
        for row in self.rows:
            for kind, typed in row.counts.items():
                key = (row.area, kind, row.level)
                number = _whole(typed)
                counts[key] = number if number < 0 else counts.get(key, 0) + number
        return BlueprintDraft(
            minutes=_whole(self.values["minutes"]),
            pass_score=_whole(self.values["pass_score"]),
            counts=counts,
            mc_rule=self.mc_rule,
            shows_key_points=self.shows_key_points,
            target=self._target(),
            **{name: _whole(self.values[name]) if self.values[name] else None for name in _PERCENTS},
        )

    def _target(self) -> EquatingTarget | None:
        if not self.has_target:
            return None
        ability, score, information = (_thousandths(self.values[name]) for name in _TARGETS)
        return EquatingTarget(_FAR_OFF if ability is None else ability, score or 0, information or 0)


def form_of(blueprint: BlueprintView) -> BlueprintForm:
    """The form of a blueprint as it stands."""
    target = blueprint.target
    values = {"minutes": str(blueprint.minutes), "pass_score": str(blueprint.pass_score)}
    values |= {name: _shown(getattr(blueprint, name)) for name in _PERCENTS}
    values |= target_values(target) if target else dict.fromkeys(_TARGETS, "")
    return BlueprintForm(
        based_on=str(blueprint.version), values=values, mc_rule=blueprint.mc_rule,
        shows_key_points=blueprint.shows_key_points, has_target=target is not None, rows=_rows_of(blueprint),
    )  # fmt: skip


def target_values(target: EquatingTarget) -> dict[str, str]:
    """The fields of a target."""
    numbers = (target.ability, target.score, target.information)
    return {name: f"{Decimal(number) / _THOUSAND:.3f}" for name, number in zip(_TARGETS, numbers, strict=True)}


def _rows_of(blueprint: BlueprintView) -> tuple[FormRow, ...]:
    counts = {cell.key: cell.count for cell in blueprint.cells}
    rows: list[FormRow] = []
    for area in blueprint.areas:
        used = [level for level in CellLevel if any(counts.get((area, kind, level)) for kind in ItemType)]
        for level in used or [CellLevel.ANY]:
            typed = {kind: str(counts.get((area, kind, level), 0)) for kind in ItemType}
            rows.append(FormRow(len(rows) + 1, area, level, typed))
    return tuple(rows)


def read_form(data: FormMultiDict) -> BlueprintForm:
    """What was sent: rows are numbered, with fields area-N, level-N and count-N-TYPE."""
    rows = []
    for name in data:
        number, area = _whole(name.removeprefix("area-")), _whole(_text(data, name))
        if not name.startswith("area-") or min(number, area) < 0:
            continue
        level = _text(data, f"level-{number}")
        rows.append(
            FormRow(
                number=number,
                area=area,
                level=CellLevel(level) if level in set(CellLevel) else CellLevel.ANY,
                counts={kind: _text(data, f"count-{number}-{kind.value}") for kind in ItemType},
            )
        )
    mc_rule = _text(data, "mc_rule")
    return BlueprintForm(
        based_on=_text(data, "based_on"),
        values={name: _text(data, name) for name in _FIELDS},
        mc_rule=McRule(mc_rule) if mc_rule in set(McRule) else McRule.ALL_OR_NOTHING,
        shows_key_points=_text(data, "shows_key_points") == "1",
        has_target=_text(data, "target") == "OWN",
        rows=tuple(rows),
    )


def whole_number(text: str) -> int:
    """A whole number, or -1, which no field takes."""
    return _whole(text)


def _text(data: FormMultiDict, name: str) -> str:
    return str(data.get(name, "")).strip()[:_LONGEST_NUMBER]


def _shown(number: int | None) -> str:
    return "" if number is None else str(number)


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= _LONGEST_NUMBER else _NO_NUMBER


def _thousandths(text: str) -> int | None:
    try:
        number = Decimal(text) * _THOUSAND
    except InvalidOperation:
        return None
    return int(number) if number.is_finite() and abs(number) < _FAR_OFF else None


def rows_of_areas(form: BlueprintForm, health: BankHealth) -> list[tuple[int, str, int, list[FormRow]]]:
    """The rows as the page shows them: area, its name and weight, and its rows."""
    named = {cell.cell.area: cell.cell for cell in health.cells}
    return [
        (area, cell.area_name, cell.weight_percent, [row for row in form.rows if row.area == area])
        for area, cell in named.items()
    ]
