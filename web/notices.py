"""`/notices`: what the signed-in person was told inside Anpei, and the words of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from training.accounts import Viewer
from training.errors import N_
from training.notices import NoticeKind, list_notices, mark_read, open_notice
from web.i18n.catalogue import gettext
from web.templating import day

if TYPE_CHECKING:
    from training.notices import NoticeLine


@dataclass(frozen=True)
class _Words:
    """`good` takes the place of `text` where the detail says that the person `passed` or a score was `corrected`."""

    icon: str
    title: str
    text: str
    good: str = ""


_WORDS: dict[NoticeKind, _Words] = {
    NoticeKind.SCORE_RELEASED: _Words(
        "report-analytics", N_("成绩已公布"),
        N_("{title}：{points} 分（满分 {total} 分），未合格。请查看是否还有补考机会。"),
        N_("{title}：{points} 分（满分 {total} 分），合格。请查看下一步。"),
    ),
    NoticeKind.PRACTICAL_RELEASED: _Words(
        "tool", N_("实际操作成绩已公布"),
        N_("{title}的实际操作考试：{points} 分，未合格。请查看是否还有补考机会。"),
        N_("{title}的实际操作考试：{points} 分，合格。请查看下一步。"),
    ),
    NoticeKind.SCORE_WITHHELD: _Words(
        "hand-stop", N_("成绩暂缓公布"), N_("{title}的成绩暂缓公布，原因：{reason}。核实后会再通知您。")
    ),
    NoticeKind.SCORE_VOID: _Words("ban", N_("成绩无效"), N_("{title}的成绩按无效处理，原因：{reason}。")),
    NoticeKind.SCORE_CHANGED: _Words(
        "refresh", N_("成绩已更正"),
        N_("{title}的成绩由 {before} 分更正为 {points} 分（满分 {total} 分），未合格。理由：{reason}"),
        N_("{title}的成绩由 {before} 分更正为 {points} 分（满分 {total} 分），合格。理由：{reason}"),
    ),
    NoticeKind.CERTIFICATE_AFFECTED: _Words(
        "certificate", N_("您的证书受成绩更正影响"),
        N_("{title}的成绩更正后未达到合格线。证书目前仍然有效，考核发证机关将另行依法处理，并先听取您的意见。"),
    ),
    NoticeKind.CERTIFICATES_TO_JUDGE: _Words(
        "alert-triangle", N_("有证书须另行处理"),
        N_("题目 {code} 更正后，{count} 名已取得证书的考生未达到合格线。请逐一依法处理。"),
    ),
    NoticeKind.STAFF_SCORES_CHANGED: _Words(
        "refresh", N_("本单位考试成绩有更正"),
        N_(
            "题目 {code} 经考核发证机关更正，“{title}”有 {count} 份成绩变化："
            "{rising} 人变为合格，{falling} 人变为未合格。培训记录已随之补记或更正。"
        ),
    ),
    NoticeKind.APPEAL_ANSWERED: _Words(
        "message", N_("成绩复核已答复"),
        N_("{title}：维持原成绩。答复和理由请打开查看。"),
        N_("{title}：成绩已更正。答复和理由请打开查看。"),
    ),
    NoticeKind.SESSION_CANCELLED: _Words(
        "calendar-off", N_("考试场次已取消"),
        N_("{title}，{starts_on}的场次已取消，原因：{reason}。请重新预约，不计改期次数。"),
    ),
    NoticeKind.APPLICATION_ACCEPTED: _Words(
        "circle-check", N_("考试申请审核通过"), N_("{title}的申请已通过审核，可以预约考试。")
    ),
    NoticeKind.APPLICATION_RETURNED: _Words(
        "arrow-back-up", N_("考试申请需要补正"), N_("{title}的申请需要补正材料。请按列出的内容一次补齐后重新提交。")
    ),
    NoticeKind.APPLICATION_REFUSED: _Words("x", N_("考试申请不予受理"), N_("{title}的申请不予受理，原因：{reason}。")),
    NoticeKind.CERTIFICATE_ISSUED: _Words("certificate", N_("证书已签发"), N_("{title}已签发，可以查看和下载。")),
    NoticeKind.CERTIFICATE_REFUSED: _Words("x", N_("证书不予签发"), N_("{title}的证书申请不予签发，原因：{reason}。")),
    NoticeKind.CERTIFICATE_REVOKED: _Words(
        "ban", N_("证书已撤销"), N_("{title}已被撤销，原因：{reason}。请打开查看救济途径。")
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """A notice in words."""

    id: UUID
    icon: str
    title: str
    text: str
    link: str
    at: datetime
    is_read: bool


@dataclass
class ReadForm:
    """`until` is the instant at which the list was shown."""

    until: str = ""


def in_words(line: NoticeLine) -> Shown:
    """A notice in the reader's language; of a kind that is not known any more, the bare fact."""
    words = _WORDS.get(NoticeKind(line.kind)) if line.kind in set(NoticeKind) else None
    if words is None:
        words = _Words("bell", N_("通知"), N_("请打开查看。"))
    is_good = line.detail.get("passed") or line.detail.get("corrected")
    told = words.good if words.good and is_good else words.text
    values = {key: _shown_value(key, value) for key, value in line.detail.items()}
    return Shown(
        line.id, words.icon, gettext(words.title), gettext(told, **values), line.link, line.created_at, line.is_read
    )


def _shown_value(key: str, value: object) -> object:
    if key.endswith("_on") and isinstance(value, str):
        return day(date.fromisoformat(value))
    if key in {"before", "points", "total"} and isinstance(value, str):
        return value.rstrip("0").rstrip(".") if "." in value else value
    return value


class NoticeController(Controller):
    """One's own notices."""

    path = "/notices"

    @get()
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        page: FromQuery[int] = 1,
    ) -> Template:
        """The unread first."""
        found = await list_notices(session, person_id=viewer.person_id, page=page)
        context = {"notices": [in_words(line) for line in found.lines], "found": found, "until": now.isoformat()}
        return Template("notices.html", context=context)

    @post("/{notice_id:uuid}")
    async def open(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        notice_id: FromPath[UUID],
    ) -> Redirect:
        """Mark one as read and go to what it is about."""
        link = await open_notice(session, notice_id=notice_id, person_id=viewer.person_id, now=now)
        return Redirect(link or "/notices")

    @post("/read")
    async def read(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        data: URLEncodedBody[ReadForm],
    ) -> Redirect:
        """Mark all that were shown as read."""
        await mark_read(session, person_id=viewer.person_id, until=_moment(data.until, now), now=now)
        return Redirect("/notices")


def _moment(typed: str, now: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        return now
    return min(moment, now) if moment.tzinfo else now


HANDLERS: list[type[Controller]] = [NoticeController]
