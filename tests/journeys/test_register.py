"""Journey (g): anybody looks up a certificate and an enterprise, and learns no more than the law lets them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from playwright.sync_api import expect
from sqlmodel import col, select

from certificates.models import Captcha, RevocationGround
from certificates.register.captcha import captcha_answer
from certificates.register.licences import confirm_import, keep_import, read_records
from certificates.register.record_files import COLUMNS, RecordKind
from certificates.revocation import revoke_certificate
from tests.journeys.conftest import inspect
from tests.makers.certificates import make_issued, make_office
from tests.makers.people import make_employee, make_organisation, make_person
from tests.makers.staff import make_record
from training.calendar import china_date

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from sqlmodel.ext.asyncio.session import AsyncSession

    from certificates.models import Certificate
    from tests.journeys.conftest import Server
    from training.models import Organisation

HOLDER, SHOWN = "欧阳电工", "欧***"
LICENCE, PENALTY = "演示许字1号", "演示罚字2号"
NOT_FOUND = "没有与这个号码和姓名都相符的证书"


@dataclass(frozen=True)
class Registered:
    """One certificate of one employee of one enterprise with a licence and a penalty."""

    number: str
    stranger_number: str
    certificate: Certificate
    enterprise: Organisation


def prepare(server: Server, *, is_revoked: bool = False) -> Registered:
    async def act(session: AsyncSession) -> Registered:
        now, vault = server.clock.now(), server.vault
        enterprise = await make_organisation(session, now=now, name="北京好好焊接有限公司")
        who = await make_employee(session, vault, organisation=enterprise, now=now, name=HOLDER)
        await make_employee(session, vault, organisation=enterprise, now=now, name="王未训")
        await make_record(session, person_id=who.person.id, organisation_id=enterprise.id, now=now)
        office = await make_office(session, server.keys, now=now)
        certificate = await make_issued(session, server.keys, now=now, who=who, office=office)
        stranger = await make_person(session, vault, now=now, name="没有证书")
        if is_revoked:
            await revoke_certificate(
                session, certificate_id=certificate.id, issuer_id=office.authority.id,
                actor_id=office.issuer.person.id, ground=RevocationGround.FRAUD, reason="卷宗第三号", with_ban=False,
                now=now,
            )  # fmt: skip
        today = china_date(now)
        for kind, row in (
            (
                RecordKind.LICENCE,
                (LICENCE, "焊接加工", "演示市应急管理局", f"{today}", f"{today + timedelta(days=365)}"),
            ),
            (RecordKind.ENFORCEMENT, (PENALTY, "未如实记录培训", "罚款二万元", "演示市应急管理局", f"{today}", "")),
        ):
            head = ",".join(column.title for column in COLUMNS[kind])
            data = f"{head}\n{enterprise.uscc},{enterprise.name},{','.join(row)}\n".encode()
            read = await read_records(session, kind=kind, data=data, now=now)
            kept = await keep_import(session, kind=kind, read=read, actor_id=office.issuer.person.id, now=now)
            await confirm_import(session, import_id=kept.id, actor_id=office.issuer.person.id, now=now)
        return Registered(who.number, stranger.number, certificate, enterprise)

    registered: Registered = server.do(act)
    return registered


def read_captcha(server: Server, page: Page) -> str:
    """What a person reads in the picture; here the question is found in the database and its answer reckoned."""
    shown = UUID(page.locator("input[name=captcha_id]").input_value())

    async def act(session: AsyncSession) -> Any:  # noqa: ANN401 - handed to server.do
        return (await session.exec(select(Captcha.id).where(Captcha.id == shown, col(Captcha.used_at).is_(None)))).one()

    return captcha_answer(server.vault, server.do(act))


def look_up(server: Server, page: Page, number: str, name: str, *, answer: str = "") -> None:
    page.get_by_label("完整号码").fill(number)
    page.get_by_label("姓名（全名）").fill(name)
    page.get_by_label("验证码", exact=True).fill(answer or read_captcha(server, page))
    page.get_by_role("button", name="查询").click()
    page.wait_for_load_state()


def result_of(page: Page) -> str:
    """The words of the answer, without the time."""
    page.locator("#h-found").wait_for()
    lines = page.locator("section:has(> #h-found)").inner_text().splitlines()
    return "\n".join(line for line in lines if line and "结论时间" not in line)


def test_number_and_name_together_find_a_masked_certificate(server: Server, phone: Page, desk: Page) -> None:
    known = prepare(server)
    for page in (phone, desk):
        page.goto("/register")
        inspect(page, "register")
        look_up(server, page, known.number, HOLDER)
        inspect(page, "register-found")
        found = result_of(page)
        assert SHOWN in found
        assert "低压电工作业" in found
        assert "有效" in found
        whole = page.content() + page.url
        assert HOLDER not in whole
        assert known.number not in whole
    phone.get_by_label("证书编号").check()
    look_up(server, phone, f"T{known.number}", HOLDER)
    assert SHOWN in result_of(phone)


def test_a_wrong_name_and_an_unknown_number_give_the_same_words(server: Server, phone: Page) -> None:
    known = prepare(server)
    phone.goto("/register")
    told = []
    for number, name in (
        (known.number, "欧阳电匠"), (known.stranger_number, "没有证书"), ("110101190001019999", HOLDER),
    ):  # fmt: skip
        look_up(server, phone, number, name)
        told.append(result_of(phone))
    inspect(phone, "register-nothing")
    assert NOT_FOUND in told[0]
    assert len(set(told)) == 1


def test_a_wrong_captcha_asks_anew_and_keeps_the_name_but_not_the_number(server: Server, phone: Page) -> None:
    known = prepare(server)
    phone.goto("/register")
    first = phone.locator("input[name=captcha_id]").input_value()
    look_up(server, phone, known.number, HOLDER, answer="?????")
    expect(phone.locator("#form-error")).to_contain_text("验证码不正确")
    inspect(phone, "register-wrong-captcha")
    assert phone.locator("input[name=captcha_id]").input_value() != first
    expect(phone.get_by_label("姓名（全名）")).to_have_value(HOLDER)
    expect(phone.get_by_label("完整号码")).to_have_value("")
    look_up(server, phone, known.number, HOLDER)
    assert SHOWN in result_of(phone)


def test_an_enterprise_shows_counts_licence_and_penalty_and_nobody_by_name(
    server: Server, phone: Page, desk: Page
) -> None:
    known = prepare(server)
    for page in (desk, phone):
        page.goto("/register")
        page.get_by_label("企业名称或统一社会信用代码").fill("好好焊")
        page.get_by_role("button", name="查企业").click()
        inspect(page, "register-enterprises")
        page.get_by_role("link", name="北京好好焊接有限公司").click()
        page.get_by_role("heading", name="北京好好焊接有限公司").wait_for()
        inspect(page, "register-enterprise")
        main = page.get_by_role("main")
        expect(main).to_contain_text(known.enterprise.uscc)
        expect(main.locator(".figure").filter(has_text="有效证书")).to_contain_text("1")
        expect(main.locator(".figure").filter(has_text="本年培训覆盖率")).to_contain_text("50%")
        for words in (LICENCE, "焊接加工", PENALTY, "未如实记录培训", "罚款二万元"):
            expect(main).to_contain_text(words)
        for name in (HOLDER, "王未训", "欧*", "王*"):
            expect(main).not_to_contain_text(name)


def test_a_revoked_certificate_is_told_by_look_up_announcement_and_count(server: Server, phone: Page) -> None:
    known = prepare(server, is_revoked=True)
    phone.goto("/register")
    look_up(server, phone, known.number, HOLDER)
    assert "撤销" in result_of(phone)
    phone.get_by_role("link", name="撤销、注销公告").click()
    main = phone.get_by_role("main")
    expect(main).to_contain_text(SHOWN)
    expect(main).to_contain_text("欺骗")
    expect(main).not_to_contain_text("卷宗")
    inspect(phone, "register-announcements")
    phone.goto(f"/register/enterprises/{known.enterprise.uscc}")
    expect(phone.locator(".figure").filter(has_text="有效证书")).to_contain_text("0")
