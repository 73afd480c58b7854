"""What one can apply for, under which published conditions, and whether a paper can be made for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, select

from exams.eligibility import Rules, education_rule
from exams.errors import UnknownQualification
from exams.models import ExamPart, Qualification, QualificationKind
from question_bank.queries import find_blueprint, load_pool
from training.models import Education
from training.rules import get_number, get_rule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sqlmodel.ext.asyncio.session import AsyncSession


@dataclass(frozen=True)
class PublishedConditions:
    """What 行政许可法 art. 54 wants published before anybody applies."""

    theory_minutes: int
    theory_pass: int
    theory_items: int
    areas: tuple[str, ...]
    practical_minutes: int | None
    practical_pass: int | None
    resits: int
    arrange_days: int
    basis: str


async def get_qualification(session: AsyncSession, code: str) -> Qualification:
    """Raises `UnknownQualification`."""
    found = await session.get(Qualification, code)
    if found is None:
        raise UnknownQualification
    return found


async def list_qualifications(session: AsyncSession, *, only_open: bool = True) -> Sequence[Qualification]:
    """In the order of the catalogue."""
    statement = select(Qualification).order_by(col(Qualification.sort_key))
    if only_open:
        statement = statement.where(col(Qualification.is_open))
    return (await session.exec(statement)).all()


async def get_rules(session: AsyncSession, qualification: Qualification, *, on: date) -> Rules:
    """The conditions of a qualification that are in force on a day."""
    if qualification.kind is not QualificationKind.SPECIAL_OPERATION:
        least = Education.PRIMARY
    else:
        least = Education(await get_rule(session, education_rule(qualification.so_code), on=on))
    return Rules(
        kind=qualification.kind,
        age_min=await get_number(session, "so.age.min", on=on),
        age_max=await get_rule(session, "so.age.max", on=on),
        education_min=least,
    )


async def get_conditions(session: AsyncSession, qualification: Qualification, *, on: date) -> PublishedConditions:
    """What the exam consists of."""
    blueprint = await find_blueprint(session, qualification.blueprint_code) if qualification.blueprint_code else None
    practical = qualification.needs_practical
    return PublishedConditions(
        theory_minutes=blueprint.minutes if blueprint else await get_number(session, "so.theory.minutes", on=on),
        theory_pass=blueprint.pass_score if blueprint else await get_number(session, "so.theory.pass", on=on),
        theory_items=blueprint.total_items if blueprint else 0,
        areas=tuple(blueprint.areas.values()) if blueprint else (),
        practical_minutes=await practical_minutes(session, qualification.code, on=on) if practical else None,
        practical_pass=await get_number(session, "so.practical.pass", on=on) if practical else None,
        resits=await get_number(session, "so.resit.max", on=on),
        arrange_days=await get_number(session, "so.exam.arrange_days", on=on),
        basis=blueprint.basis if blueprint else "",
    )


async def practical_minutes(session: AsyncSession, code: str, *, on: date) -> int:
    """The item's own time, or the general one."""
    try:
        return await get_number(session, f"so.practical.minutes.{code}", on=on)
    except LookupError:
        return await get_number(session, "so.practical.minutes", on=on)


async def can_make_paper(session: AsyncSession, qualification: Qualification) -> bool:
    """Whether the bank holds enough published items for every cell of the blueprint."""
    blueprint = await find_blueprint(session, qualification.blueprint_code) if qualification.blueprint_code else None
    if blueprint is None:
        return False
    pool = await load_pool(session, qualification.blueprint_code)
    stock = Counter((item.area, item.type) for item in pool.items)
    return all(stock[cell.area, cell.type] >= cell.count for cell in blueprint.cells)


async def part_minutes(session: AsyncSession, qualification: Qualification, part: ExamPart, *, on: date) -> int:
    """How long one part lasts."""
    if part is ExamPart.PRACTICAL:
        return await practical_minutes(session, qualification.code, on=on)
    return (await get_conditions(session, qualification, on=on)).theory_minutes
