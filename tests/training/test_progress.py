"""Progress: never more than the clock, never two places at a time, no gain from repeating."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from tests.makers.courses import make_course
from tests.makers.people import make_person
from training.accounts import open_sign_in
from training.learning import start_learning
from training.models import BlockKind, BlockProgress, CourseModule, LessonBlock, StudyDay
from training.progress import (
    BlockState,
    Counting,
    Place,
    Sign,
    VideoSign,
    counted_until_after,
    open_lesson,
    seconds_to_count,
    spread,
    take_pulse,
)

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from training.vault import Vault
    from web.storage import Store

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
VIDEO = UUID(int=1)
gaps = st.lists(st.floats(0, 90, allow_nan=False), min_size=1, max_size=40)


@given(gaps=gaps)
def test_what_counts_never_exceeds_the_clock(gaps: list[float]) -> None:
    until, now, counted = START, START, 0
    for gap in gaps:
        now += timedelta(seconds=gap)
        seconds = seconds_to_count(until, now, at_most=30, left_today=10**6)
        until = counted_until_after(until, now, counted=seconds)
        counted += seconds
    assert counted <= (now - START).total_seconds()


@given(gaps=st.lists(st.floats(0, 20, allow_nan=False), min_size=1, max_size=40))
def test_frequent_signs_lose_less_than_a_second_in_all(gaps: list[float]) -> None:
    until, now, counted = START, START, 0
    for gap in gaps:
        now += timedelta(seconds=gap)
        seconds = seconds_to_count(until, now, at_most=30, left_today=10**6)
        until = counted_until_after(until, now, counted=seconds)
        counted += seconds
    assert counted > (now - START).total_seconds() - 1


@given(gap=st.floats(0, 90, allow_nan=False), times=st.integers(1, 5))
def test_a_repeated_sign_counts_nothing(gap: float, times: int) -> None:
    now = START + timedelta(seconds=gap)
    first = seconds_to_count(START, now, at_most=30, left_today=10**6)
    until = counted_until_after(START, now, counted=first)
    for _ in range(times):
        assert seconds_to_count(until, now, at_most=30, left_today=10**6) == 0
        until = counted_until_after(until, now, counted=0)
    assert until <= now


@given(back=st.floats(0, 90, allow_nan=False))
def test_a_clock_that_steps_back_counts_nothing(back: float) -> None:
    now = START - timedelta(seconds=back)
    assert seconds_to_count(START, now, at_most=30, left_today=10**6) == 0
    assert counted_until_after(START, now, counted=0) == START


@given(left=st.integers(-5, 40))
def test_a_full_day_counts_no_more(left: int) -> None:
    assert seconds_to_count(START, START + timedelta(seconds=30), at_most=30, left_today=left) == min(30, max(0, left))


blocks = st.lists(
    st.builds(
        BlockState,
        id=st.uuids(),
        kind=st.sampled_from([BlockKind.TEXT, BlockKind.PICTURE, BlockKind.QUESTION]),
        needed_seconds=st.integers(0, 120),
        seconds=st.integers(0, 60),
    ),
    max_size=6,
)


@given(
    seconds=st.integers(0, 30), others=blocks, furthest=st.integers(0, 24), claimed=st.integers(0, 10**6),
    room=st.integers(-50, 100),
)  # fmt: skip
def test_spreading_makes_no_time_and_a_jump_comes_to_nothing(
    seconds: int, others: list[BlockState], furthest: int, claimed: int, room: int
) -> None:
    video = BlockState(VIDEO, BlockKind.VIDEO, 24, furthest, furthest)
    before = [*others, video]
    after = spread(seconds, before, video=VideoSign(VIDEO, claimed), room=room)
    gained = sum(block.seconds for block in after) - sum(block.seconds for block in before)
    assert 0 <= gained <= seconds
    assert furthest <= after[-1].furthest_second <= min(24, furthest + seconds)
    assert after[-1].furthest_second <= max(furthest, claimed)


def test_texts_fill_in_order_and_the_rest_only_within_the_room() -> None:
    texts = [BlockState(uuid4(), BlockKind.TEXT, 10), BlockState(uuid4(), BlockKind.TEXT, 5)]
    assert [block.seconds for block in spread(12, texts, video=None, room=0)] == [10, 2]
    assert [block.seconds for block in spread(30, texts, video=None, room=4)] == [10, 9]
    assert [block.seconds for block in spread(30, texts, video=None, room=-4)] == [10, 5]


@dataclass
class Reader:
    """A learner with two devices and two lessons."""

    session: AsyncSession
    clock: FixedClock
    person_id: UUID
    learning_id: UUID
    phone: UUID
    desk: UUID
    first: Place
    second: Place

    async def open(self, place: Place, device: UUID) -> bool:
        return await open_lesson(
            self.session, learning_id=self.learning_id, person_id=self.person_id, sign_in_id=device, place=place,
            now=self.clock.now(),
        )  # fmt: skip

    async def pulse(
        self,
        place: Place,
        device: UUID,
        *,
        after: float = 15,
        sign: Sign = Sign.READING,
        video: VideoSign | None = None,
    ) -> tuple[Counting, int]:
        now = self.clock.advance(seconds=after)
        progress = await take_pulse(
            self.session, learning_id=self.learning_id, person_id=self.person_id, sign_in_id=device, place=place,
            sign=sign, video=video, now=now,
        )  # fmt: skip
        return progress.counting, sum(block.seconds for block in progress.blocks)


@pytest.fixture
async def reader(session: AsyncSession, vault: Vault, store: Store, clock: FixedClock) -> Reader:
    version = await make_course(session, store, now=clock.now(), code="C77")
    known = await make_person(session, vault, now=clock.now())
    devices = [
        (await open_sign_in(session, account_id=known.account.id, client="x", address="", now=clock.now()))[1].id
        for _ in range(2)
    ]
    learning = await start_learning(session, person_id=known.person.id, code="C77", now=clock.now())
    module = (await session.exec(select(CourseModule).where(CourseModule.course_version_id == version.id))).one()
    return Reader(
        session, clock, known.person.id, learning.id, devices[0], devices[1], Place(module.id, 1), Place(module.id, 2)
    )


async def test_time_counts_in_the_open_lesson_only(reader: Reader) -> None:
    await reader.open(reader.first, reader.phone)
    assert await reader.pulse(reader.first, reader.phone) == (Counting.ON, 15)
    assert await reader.pulse(reader.second, reader.phone) == (Counting.OTHER_PLACE, 0)


async def test_a_long_silence_counts_as_one_pulse_at_most(reader: Reader) -> None:
    await reader.open(reader.first, reader.phone)
    assert await reader.pulse(reader.first, reader.phone, after=3600) == (Counting.ON, 30)


async def test_only_one_device_counts_and_the_other_is_told(reader: Reader) -> None:
    await reader.open(reader.first, reader.phone)
    await reader.pulse(reader.first, reader.phone)
    assert await reader.open(reader.first, reader.desk)
    assert await reader.pulse(reader.first, reader.phone, after=10) == (Counting.OTHER_PLACE, 15)
    assert await reader.pulse(reader.first, reader.desk, after=5) == (Counting.ON, 30)


async def test_a_page_put_aside_rests_until_it_is_taken_up(reader: Reader) -> None:
    await reader.open(reader.first, reader.phone)
    assert await reader.pulse(reader.first, reader.phone, after=10, sign=Sign.AWAY) == (Counting.RESTING, 10)
    assert await reader.pulse(reader.first, reader.phone, after=20) == (Counting.RESTING, 10)
    assert await reader.pulse(reader.first, reader.phone, after=20, sign=Sign.BACK) == (Counting.ON, 10)
    assert await reader.pulse(reader.first, reader.phone, after=5) == (Counting.ON, 15)


async def test_going_on_to_the_next_lesson_counts_for_the_one_before(reader: Reader) -> None:
    await reader.open(reader.first, reader.phone)
    reader.clock.advance(seconds=12)
    await reader.open(reader.second, reader.phone)
    statement = select(BlockProgress.seconds).where(BlockProgress.learning_id == reader.learning_id)
    assert (await reader.session.exec(statement)).all() == [12]


async def test_opening_another_course_rests_this_one(reader: Reader, store: Store) -> None:
    await reader.open(reader.first, reader.phone)
    await make_course(reader.session, store, now=reader.clock.now(), code="C78")
    other = await start_learning(reader.session, person_id=reader.person_id, code="C78", now=reader.clock.now())
    statement = select(CourseModule).where(CourseModule.course_version_id == other.course_version_id)
    place = Place((await reader.session.exec(statement)).one().id, 1)
    await open_lesson(
        reader.session, learning_id=other.id, person_id=reader.person_id, sign_in_id=reader.phone, place=place,
        now=reader.clock.now(),
    )  # fmt: skip
    assert await reader.pulse(reader.first, reader.phone) == (Counting.OTHER_PLACE, 0)


async def test_a_video_cannot_be_skipped(reader: Reader) -> None:
    video = (await reader.session.exec(select(LessonBlock).where(LessonBlock.kind == BlockKind.VIDEO))).one()
    await reader.open(reader.second, reader.phone)
    await reader.pulse(reader.second, reader.phone, after=5, video=VideoSign(video.id, 20))
    progress = await reader.session.get_one(BlockProgress, (reader.learning_id, video.id))
    assert (progress.furthest_second, progress.done_at) == (5, None)
    await reader.pulse(reader.second, reader.phone, after=15, video=VideoSign(video.id, 20))
    assert progress.furthest_second == 20
    assert progress.done_at is not None


async def test_the_day_has_an_end_and_the_next_day_begins_anew(reader: Reader) -> None:
    await reader.open(reader.first, reader.phone)
    day = StudyDay(person_id=reader.person_id, day=START.date(), seconds=8 * 3600 - 10)
    reader.session.add(day)
    await reader.session.flush()
    assert await reader.pulse(reader.first, reader.phone) == (Counting.DAY_FULL, 10)
    assert await reader.pulse(reader.first, reader.phone) == (Counting.DAY_FULL, 10)
    reader.clock.advance(hours=6)
    await reader.open(reader.first, reader.phone)
    assert await reader.pulse(reader.first, reader.phone) == (Counting.ON, 55)


async def test_time_beyond_the_need_counts_up_to_the_modules_minutes(reader: Reader) -> None:
    await reader.open(reader.first, reader.phone)
    for _ in range(100):
        await reader.pulse(reader.first, reader.phone, after=30)
    statement = select(BlockProgress.seconds).where(col(BlockProgress.learning_id) == reader.learning_id)
    # 45 minutes, of which the 20 seconds of the other lesson are kept free.
    assert sum((await reader.session.exec(statement)).all()) == 45 * 60 - 20
