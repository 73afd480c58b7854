"""Progress in a course: only time that the server saw, on one device, in the lesson that is open."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from sqlmodel import col, func, select

from training.calendar import china_date
from training.errors import NotFound
from training.models import BlockKind, BlockProgress, CourseModule, Learning, LessonBlock, StudyDay
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel.ext.asyncio.session import AsyncSession

# A player reports the second that it is in: the last one may never be reached in whole.
_LAST_SECOND = 1
_TAKEN_OVER_WITHIN = timedelta(minutes=2)


class Counting(StrEnum):
    """Whether the reader's time counts now, and if not, why."""

    ON = "ON"
    RESTING = "RESTING"
    OTHER_PLACE = "OTHER_PLACE"
    DAY_FULL = "DAY_FULL"
    FINISHED = "FINISHED"


class Sign(StrEnum):
    """What a page tells: still being read, put aside, or taken up again."""

    READING = "READING"
    AWAY = "AWAY"
    BACK = "BACK"


@dataclass(frozen=True)
class BlockState:
    """How far a learner is with one block."""

    id: UUID
    kind: BlockKind
    needed_seconds: int
    seconds: int = 0
    furthest_second: int = 0
    answer: str = ""

    @property
    def is_done(self) -> bool:
        """Text read for as long as it takes, video seen to its end, question answered."""
        if self.kind is BlockKind.TEXT:
            return self.seconds >= self.needed_seconds
        if self.kind is BlockKind.VIDEO:
            return self.furthest_second >= self.needed_seconds - _LAST_SECOND
        return self.kind is BlockKind.PICTURE or bool(self.answer)


@dataclass(frozen=True)
class VideoSign:
    """Where a player says that it is."""

    block_id: UUID
    second: int


@dataclass(frozen=True)
class Place:
    """A lesson of a module of a course."""

    module_id: UUID
    lesson_number: int


@dataclass(frozen=True)
class LessonProgress:
    """How far a learner is with a lesson."""

    blocks: tuple[BlockState, ...]
    counting: Counting
    module_seconds: int
    module_minutes: int

    @property
    def needed_seconds(self) -> int:
        """What the whole lesson takes."""
        return sum(block.needed_seconds for block in self.blocks)

    @property
    def seen_seconds(self) -> int:
        """What counts of it, at most what it takes."""
        return sum(min(_seen(block), block.needed_seconds) for block in self.blocks)

    @property
    def left_seconds(self) -> int:
        """What is still to be read or watched."""
        return max(self.needed_seconds - self.seen_seconds, 0) if not self.is_seen else 0

    @property
    def is_seen(self) -> bool:
        """Everything but the questions."""
        return all(block.is_done for block in self.blocks if block.kind is not BlockKind.QUESTION)

    @property
    def open_questions(self) -> int:
        """How many questions wait for an answer."""
        return sum(not block.is_done for block in self.blocks if block.kind is BlockKind.QUESTION)

    @property
    def is_done(self) -> bool:
        """All of it."""
        return all(block.is_done for block in self.blocks)


def _seen(block: BlockState) -> int:
    return block.furthest_second if block.kind is BlockKind.VIDEO else block.seconds


def seconds_to_count(counted_until: datetime | None, now: datetime, *, at_most: int, left_today: int) -> int:
    """Whole seconds between the last sign and this one, within the caps; none while reading rests."""
    if counted_until is None:
        return 0
    return max(0, min(int((now - counted_until).total_seconds()), at_most, left_today))


def counted_until_after(counted_until: datetime | None, now: datetime, *, counted: int) -> datetime:
    """Up to when time is now used up. A fraction of a second is kept for the next sign; a longer gap is lost."""
    if counted_until is None:
        return now
    rest = now - counted_until - timedelta(seconds=counted)
    return now - rest if timedelta() <= rest < timedelta(seconds=1) else max(now, counted_until)


def spread(seconds: int, blocks: Sequence[BlockState], *, video: VideoSign | None, room: int) -> tuple[BlockState, ...]:
    """Give seconds to the blocks of the open lesson.

    A video moves on by as much as was watched, never further than the clock moved, which is how a jump
    forward comes to nothing. The rest goes to the texts in their order. What goes beyond the needed time
    (a slow reader, a second look) counts within `room`, on the last text.
    """
    states = list(blocks)
    left = seconds
    for at, block in enumerate(states):
        if video is not None and block.kind is BlockKind.VIDEO and block.id == video.block_id:
            onward = max(0, min(video.second, block.needed_seconds) - block.furthest_second)
            step = min(onward, left)
            furthest = block.furthest_second + step
            states[at] = replace(block, seconds=block.seconds + step, furthest_second=furthest)
            left -= step
    last_text = None
    for at, block in enumerate(states):
        if block.kind is BlockKind.TEXT:
            step = min(left, max(0, block.needed_seconds - block.seconds))
            states[at] = replace(block, seconds=block.seconds + step)
            left -= step
            last_text = at
    if last_text is not None:
        states[last_text] = replace(states[last_text], seconds=states[last_text].seconds + min(left, max(0, room)))
    return tuple(states)


async def lock_learning(session: AsyncSession, *, learning_id: UUID, person_id: UUID) -> Learning:
    """The person's own learning, with all their open ones locked: time counts in one of them at a time."""
    statement = (
        select(Learning)
        .where(Learning.person_id == person_id, col(Learning.finished_at).is_(None) | (Learning.id == learning_id))
        .order_by(col(Learning.id))
        .with_for_update()
    )
    mine = (await session.exec(statement)).all()
    learning = next((one for one in mine if one.id == learning_id), None)
    if learning is None:
        raise NotFound
    return learning


async def find_place(session: AsyncSession, block_id: UUID | None) -> Place | None:
    """The lesson of a block."""
    block = await session.get(LessonBlock, block_id) if block_id else None
    return Place(block.module_id, block.lesson_number) if block else None


async def _states(session: AsyncSession, learning_id: UUID, place: Place) -> tuple[BlockState, ...]:
    statement = (
        select(LessonBlock, BlockProgress)
        .outerjoin(
            BlockProgress,
            (col(BlockProgress.block_id) == LessonBlock.id) & (col(BlockProgress.learning_id) == learning_id),
        )
        .where(LessonBlock.module_id == place.module_id, LessonBlock.lesson_number == place.lesson_number)
        .order_by(col(LessonBlock.number))
    )
    rows = (await session.exec(statement)).all()
    return tuple(state_of(block, progress) for block, progress in rows)


def state_of(block: LessonBlock, progress: BlockProgress | None) -> BlockState:
    """A block with its progress, if there is any yet."""
    if progress is None:
        return BlockState(block.id, block.kind, block.needed_seconds)
    return BlockState(
        block.id, block.kind, block.needed_seconds, progress.seconds, progress.furthest_second, progress.answer
    )


async def _module_seconds(session: AsyncSession, learning_id: UUID, module_id: UUID, *, with_owed: bool = False) -> int:
    """The time that counts in a module; with what its lessons still need, if asked."""
    seconds = func.coalesce(BlockProgress.seconds, 0)
    statement = (
        select(func.coalesce(func.sum(func.greatest(seconds, LessonBlock.needed_seconds) if with_owed else seconds), 0))
        .select_from(LessonBlock)
        .outerjoin(
            BlockProgress,
            (col(BlockProgress.block_id) == LessonBlock.id) & (col(BlockProgress.learning_id) == learning_id),
        )
        .where(LessonBlock.module_id == module_id)
    )
    return int((await session.exec(statement)).one())


async def _lock_day(session: AsyncSession, person_id: UUID, *, now: datetime) -> StudyDay:
    # The person's learnings are locked, so no one else makes this row now.
    today = await session.get(StudyDay, (person_id, china_date(now)), with_for_update=True)
    if today is None:
        today = StudyDay(person_id=person_id, day=china_date(now))
        session.add(today)
    return today


async def _save(
    session: AsyncSession,
    learning_id: UUID,
    before: Sequence[BlockState],
    after: Sequence[BlockState],
    *,
    now: datetime,
) -> None:
    for old, new in zip(before, after, strict=True):
        if old == new:
            continue
        row = await session.get(BlockProgress, (learning_id, new.id)) or BlockProgress(
            learning_id=learning_id, block_id=new.id
        )
        row.seconds, row.furthest_second = new.seconds, new.furthest_second
        if new.is_done and row.done_at is None:
            row.done_at = now
        session.add(row)
    await session.flush()


async def _count(
    session: AsyncSession, learning: Learning, place: Place, video: VideoSign | None, *, now: datetime
) -> bool:
    """Count the time since the last sign for the open lesson. False when the day is full."""
    today = china_date(now)
    study_day = await _lock_day(session, learning.person_id, now=now)
    left_today = await get_number(session, "learn.day_hours", on=today) * 3600 - study_day.seconds
    at_most = await get_number(session, "learn.pulse_seconds", on=today)
    seconds = seconds_to_count(learning.pulse_at, now, at_most=at_most, left_today=left_today)
    before = await _states(session, learning.id, place)
    module = await session.get_one(CourseModule, place.module_id)
    kept = await _module_seconds(session, learning.id, place.module_id, with_owed=True)
    after = spread(seconds, before, video=video, room=module.minutes * 60 - kept)
    study_day.seconds += sum(block.seconds for block in after) - sum(block.seconds for block in before)
    learning.pulse_at = counted_until_after(learning.pulse_at, now, counted=seconds)
    session.add(study_day)
    await _save(session, learning.id, before, after, now=now)
    return left_today > seconds


async def open_lesson(
    session: AsyncSession, *, learning_id: UUID, person_id: UUID, sign_in_id: UUID, place: Place, now: datetime
) -> bool:
    """Open a lesson here: time counts in it, on this device and nowhere else, from now on.

    What was open on the same device until now gets its time first, which is how time counts without
    scripts. True when another device was reading a moment ago and has now been told to stop.
    """
    learning = await lock_learning(session, learning_id=learning_id, person_id=person_id)
    first = (await _states(session, learning.id, place))[:1]
    version = (await session.get_one(CourseModule, place.module_id)).course_version_id
    if not first or version != learning.course_version_id:
        raise NotFound
    if learning.finished_at is not None:
        return False
    is_here = learning.sign_in_id == sign_in_id
    took_over = not is_here and learning.pulse_at is not None and now - learning.pulse_at < _TAKEN_OVER_WITHIN
    if is_here and (open_place := await find_place(session, learning.current_block_id)):
        await _count(session, learning, open_place, None, now=now)
    learning.current_block_id, learning.sign_in_id, learning.pulse_at = first[0].id, sign_in_id, now
    session.add(learning)
    await _rest_elsewhere(session, learning)
    return took_over


async def _rest_elsewhere(session: AsyncSession, learning: Learning) -> None:
    statement = select(Learning).where(
        Learning.person_id == learning.person_id,
        Learning.id != learning.id,
        col(Learning.finished_at).is_(None),
        col(Learning.sign_in_id).is_not(None),
    )
    for other in (await session.exec(statement)).all():
        other.sign_in_id = other.pulse_at = None
        session.add(other)
    await session.flush()


async def take_pulse(
    session: AsyncSession,
    *,
    learning_id: UUID,
    person_id: UUID,
    sign_in_id: UUID,
    place: Place,
    sign: Sign,
    now: datetime,
    video: VideoSign | None = None,
) -> LessonProgress:
    """Take a sign of the reader and count the time since the last one, if this is where it counts."""
    learning = await lock_learning(session, learning_id=learning_id, person_id=person_id)
    counting = await _counting(session, learning, sign_in_id, place)
    if counting in {Counting.ON, Counting.RESTING} and sign is Sign.BACK:
        learning.pulse_at, counting = now, Counting.ON
    elif counting is Counting.ON:
        has_room = await _count(session, learning, place, video, now=now)
        counting = Counting.ON if has_room else Counting.DAY_FULL
        if sign is Sign.AWAY:
            learning.pulse_at, counting = None, Counting.RESTING
    session.add(learning)
    await session.flush()
    return await get_lesson_progress(session, learning_id=learning_id, place=place, counting=counting)


async def _counting(session: AsyncSession, learning: Learning, sign_in_id: UUID, place: Place) -> Counting:
    if learning.finished_at is not None:
        return Counting.FINISHED
    if learning.sign_in_id != sign_in_id or await find_place(session, learning.current_block_id) != place:
        return Counting.OTHER_PLACE
    return Counting.ON if learning.pulse_at is not None else Counting.RESTING


async def get_lesson_progress(
    session: AsyncSession, *, learning_id: UUID, place: Place, counting: Counting = Counting.ON
) -> LessonProgress:
    """How far a learner is with a lesson."""
    module = await session.get_one(CourseModule, place.module_id)
    return LessonProgress(
        blocks=await _states(session, learning_id, place),
        counting=counting,
        module_seconds=await _module_seconds(session, learning_id, place.module_id),
        module_minutes=module.minutes,
    )
