"""The configuration of the Safe Exam Browser and its keys.

The rule of the Config Key was also held against a real one: the settings file of SEB 2.1.4 for macOS
that Moodle's tests carry gives 4fa9af8e…9292 here as it does there.
"""

from __future__ import annotations

import hashlib
import plistlib
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.browser_exam_keys import LabelMissing, add_browser_key, find_needed, list_browser_keys, retire_browser_key
from exams.models import ExamSession
from exams.safe_exam_browser import (
    BadBrowserKey,
    config_file,
    config_key,
    exam_settings,
    is_proven,
    read_browser_key,
    request_hash,
    seb_json,
)
from tests.makers.check_in import Desk, make_checked_in, make_desk
from training import audit
from training.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

SITE = UUID("00000000-0000-7000-8000-000000000001")
URL = "https://exam.example.cn/sittings/1?page=2"
PROGRAM = "ab" * 32


def settings(**more: object) -> dict[str, object]:
    return exam_settings(public_url="https://exam.example.cn", organisation_id=SITE, key=b"k" * 32) | more


@pytest.mark.parametrize(
    ("given_settings", "text"),
    [
        ({}, "{}"),
        ({"b": True, "A": 1, "c": "x"}, '{"A":1,"b":true,"c":"x"}'),
        ({"allowWLAN": False, "allowWlan": True}, '{"allowWlan":true,"allowWLAN":false}'),
        ({"allowQuit": 1, "allowedDisplays": 2, "URLRules": []}, '{"allowedDisplays":2,"allowQuit":1,"URLRules":[]}'),
        ({"socket": "ws:\\localhost:8706", "name": '考"场'}, '{"name":"考"场","socket":"ws:\\localhost:8706"}'),
        ({"salt": b"\x00\x01", "none": {}, "rules": [{"b": 1, "a": {}}]}, '{"rules":[{"b":1}],"salt":"AAE="}'),
        ({"originatorVersion": "SEB_OSX_2.1.4", "a": 1}, '{"a":1}'),
    ],
)  # fmt: skip
def test_the_json_of_the_config_key_follows_the_developer_documentation(
    given_settings: dict[str, object], text: str
) -> None:
    assert seb_json(given_settings) == text
    assert config_key(given_settings) == hashlib.sha256(text.encode()).hexdigest()


@given(st.randoms(use_true_random=False))
def test_the_config_key_depends_on_the_settings_and_not_on_their_order(random: Any) -> None:  # noqa: ANN401
    pairs = list(settings().items())
    random.shuffle(pairs)
    assert config_key(dict(pairs)) == config_key(settings())
    name, value = random.choice([pair for pair in pairs if isinstance(pair[1], bool)])
    assert config_key({**settings(), name: not value}) != config_key(settings())


def test_the_file_holds_the_settings_and_gives_the_same_config_key() -> None:
    read = plistlib.loads(config_file(settings()))
    assert read == settings()
    assert config_key(read) == config_key(settings())
    assert read["startURL"] == "https://exam.example.cn/sittings/"
    # Answers that wait in the browser's storage must outlive the program.
    assert (read["removeLocalStorage"], read["removeBrowserProfile"]) == (False, False)


def test_another_organisation_or_installation_has_another_config_key() -> None:
    others = [
        exam_settings(public_url="https://exam.example.cn", organisation_id=UUID(int=2), key=b"k" * 32),
        exam_settings(public_url="https://exam.example.cn", organisation_id=SITE, key=b"l" * 32),
        exam_settings(public_url="https://other.example.cn", organisation_id=SITE, key=b"k" * 32),
    ]
    assert len({config_key(one) for one in [settings(), *others]}) == 4


def shown(url: str = URL, *, program: str = PROGRAM) -> dict[str, str]:
    return {
        "x-safeexambrowser-configkeyhash": request_hash(url, config_key(settings())),
        "x-safeexambrowser-requesthash": request_hash(url, program),
    }


def test_the_hash_is_over_the_address_without_its_fragment() -> None:
    config = config_key(settings())
    assert request_hash(f"{URL}#item-3", config) == hashlib.sha256(f"{URL}{config}".encode()).hexdigest()


@pytest.mark.parametrize(
    ("headers", "exam_keys", "proven"),
    [
        ({}, (), False),
        (shown(), (), True),
        ({name: value.upper() for name, value in shown().items()}, (), True),
        (shown("https://exam.example.cn/sittings/2"), (), False),
        (shown(), (PROGRAM,), True),
        (shown(), ("cd" * 32, PROGRAM), True),
        (shown(program="cd" * 32), (PROGRAM,), False),
        ({"x-safeexambrowser-requesthash": request_hash(URL, PROGRAM)}, (PROGRAM,), False),
        ({"x-safeexambrowser-configkeyhash": "密钥"}, (), False),
    ],
)
def test_a_request_proves_the_configuration_and_where_listed_the_program(
    headers: dict[str, str], exam_keys: tuple[str, ...], proven: bool
) -> None:
    urls = ["http://127.0.0.1:8000/sittings/1?page=2", URL]
    assert is_proven(headers, urls=urls, config=config_key(settings()), exam_keys=exam_keys) is proven


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "gh" * 32, "密" * 64])
def test_what_is_no_browser_exam_key_is_refused(text: str) -> None:
    with pytest.raises(BadBrowserKey):
        read_browser_key(text)


def test_a_browser_exam_key_may_be_copied_with_spaces_and_capitals() -> None:
    assert read_browser_key(f" {PROGRAM[:32].upper()}\n{PROGRAM[32:]} ") == PROGRAM


@pytest.fixture
async def desk(session: AsyncSession, vault: Vault, now: datetime) -> Desk:
    return await make_desk(session, vault, now=now)


async def test_a_listed_key_stands_once_and_can_be_retired(session: AsyncSession, desk: Desk, now: datetime) -> None:
    by = {"organisation_id": desk.site.id, "actor_id": desk.head.person.id, "now": now}
    with pytest.raises(LabelMissing):
        await add_browser_key(session, key=PROGRAM, label=" ", **by)  # type: ignore[arg-type]  # of mixed types
    first = await add_browser_key(session, key=PROGRAM, label="机房一", **by)  # type: ignore[arg-type]
    again = await add_browser_key(session, key=PROGRAM.upper(), label="机房二", **by)  # type: ignore[arg-type]
    assert again.id == first.id
    with pytest.raises(NotFound):
        await retire_browser_key(session, key_id=first.id, **(by | {"organisation_id": SITE}))  # type: ignore[arg-type]
    for _ in range(2):
        await retire_browser_key(session, key_id=first.id, **by)  # type: ignore[arg-type]
    assert await list_browser_keys(session, organisation_id=desk.site.id) == []
    entries = await audit.list_entries(session, target=("browser_exam_key", first.id))
    assert sorted(entry.action for entry in entries) == ["browser_exam_key.added", "browser_exam_key.retired"]


async def test_a_session_needs_the_program_only_for_its_own_candidates(
    session: AsyncSession, desk: Desk, now: datetime
) -> None:
    person_id = desk.candidate.person.id
    await make_checked_in(session, desk, desk.booking, now=now)
    assert await find_needed(session, person_id=person_id, booking_id=desk.booking.id) is None
    exam_session = await session.get_one(ExamSession, desk.exam_session.id)
    exam_session.needs_seb = True
    session.add(exam_session)
    await add_browser_key(
        session, organisation_id=desk.site.id, key=PROGRAM, label="机房", actor_id=desk.head.person.id, now=now
    )
    needed = await find_needed(session, person_id=person_id, booking_id=desk.booking.id)
    assert needed is not None
    assert (needed.organisation_id, needed.exam_keys) == (desk.site.id, (PROGRAM,))
    assert await find_needed(session, person_id=desk.head.person.id, booking_id=desk.booking.id) is None
