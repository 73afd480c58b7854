"""What can go wrong between an application and its seat; each sentence says what to do."""

from __future__ import annotations

from training.errors import N_, BadInput, Conflict, NotFound


class UnknownQualification(NotFound):
    """No such qualification."""

    message = N_("没有这个考试项目。请返回考试首页重新选择。")


class QualificationClosed(Conflict):
    """Applications for it are not taken."""

    message = N_("“{name}”目前不接受报名。开放后会在考试首页公布。")


class NotEligible(Conflict):
    """A condition that no form can mend is not met; the sentence is that condition's own."""


class NotEditable(Conflict):
    """The application is with the authority or decided."""

    message = N_("申请已提交或已有结果，不能再修改。请在申请页面查看当前进度。")


class Incomplete(Conflict):
    """Steps are missing; the page lists all of them."""

    message = N_("还有 {count} 项没有完成，请按下面列出的内容补充后再提交。")


class NotWaiting(Conflict):
    """Another reviewer was faster, or the candidate withdrew."""

    message = N_("这份申请已不在待审核状态，可能已由他人处理或被申请人撤回。请返回列表查看。")


class NotWithdrawable(Conflict):
    """Its exam has begun or it is decided."""

    message = N_("这份申请已有结果或考试已经开始，不能撤回。")


class ReasonNeeded(BadInput):
    """A decision against somebody gives its reason."""

    message = N_("请写明理由，申请人会看到这段文字。")


class BadProof(BadInput):
    """An upload that is no usable proof."""

    message = N_("证明材料无法使用：{why}。请上传 PDF、JPG 或 PNG 文件，不超过 8 MB。")


class BackgroundMissing(BadInput):
    """Education, employer or proof kind was not chosen."""

    message = N_("请填写{what}。")


class HealthNotConfirmed(BadInput):
    """Not every item of the statement was confirmed."""

    message = N_("请逐项确认健康承诺。如有任何一项不符合，不能从事该作业，请不要签署。")


class SignatureDiffers(BadInput):
    """The typed name is not the applicant's."""

    message = N_("签名与登记姓名不一致，请输入您本人的姓名“{name}”。")


class PlanNotPublished(Conflict):
    """A batch session needs a published plan that covers its day."""

    message = N_("按计划的场次需要一份已公布且包含考试日期的考试计划。请先联系考核发证机关公布计划，或改为随到随考。")


class BadPeriod(BadInput):
    """A plan that ends before it begins."""

    message = N_("计划的结束日期不能早于开始日期。")


class RoomTaken(Conflict):
    """Two sessions would meet in one room."""

    message = N_("考场“{room}”在这段时间（含清场时间）已有场次。请换一个时间或考场。")


class RoomKnown(Conflict):
    """The site has a room of this name."""

    message = N_("本考试点已有名为“{name}”的考场，请换一个名称。")


class BadRoom(BadInput):
    """Name or seats missing."""

    message = N_("请填写考场名称，座位数应为 1 到 {most} 之间。")


class WrongRoom(BadInput):
    """Theory in a practical room or the other way round."""

    message = N_("理论考试应安排在机房，实际操作考试应安排在实操场地。请选择对应的考场。")


class TooManySeats(BadInput):
    """More seats than the room has."""

    message = N_("座位数应为 1 到 {seats} 之间（考场共有 {seats} 个座位）。")


class StartsInThePast(BadInput):
    """A session can only be opened for the future."""

    message = N_("开考时间应晚于现在。")


class NoPaperPossible(Conflict):
    """No blueprint, or a bank too small for it."""

    message = N_("“{name}”还不能安排理论考试：题库尚不能按考试大纲组成试卷。请联系题库编辑。")


class NoPractical(BadInput):
    """The qualification has theory only."""

    message = N_("“{name}”只有理论考试，没有实际操作考试。")


class SessionBegun(Conflict):
    """Too late to cancel a session."""

    message = N_("场次已经开始或已取消，不能再取消。")


class SessionFull(Conflict):
    """Every seat is taken."""

    message = N_("这个场次刚刚约满，请选择其他场次。")


class SessionClosed(Conflict):
    """Begun, finished or cancelled."""

    message = N_("这个场次已开始、已结束或已取消，请选择其他场次。")


class NotAccepted(Conflict):
    """Only an accepted application may book."""

    message = N_("申请审核通过后才能预约考试。")


class TheoryFirst(Conflict):
    """104号 art. 9."""

    message = N_("理论考试合格后才能预约实际操作考试。")


class PartPassed(Conflict):
    """Nothing more to sit in this part."""

    message = N_("这一部分考试已经合格，不需要再考。")


class PartExpired(Conflict):
    """104号 art. 10: a passed part counts for twelve months."""

    message = N_("理论考试的合格成绩已超过 {months} 个月，请重新申请考试。")


class ResultAwaited(Conflict):
    """The last sitting has no released result yet."""

    message = N_("上一次考试的成绩还没有公布，公布后才能决定是否需要补考。")


class NoAttemptLeft(Conflict):
    """The one resit was used."""

    message = N_("考试和补考机会（补考 {resits} 次）已用完。请重新参加培训后再次申请。")


class AlreadyBooked(Conflict):
    """One seat per part at a time."""

    message = N_("您已经预约了这一部分考试。如需换时间，请在准考证页面改签。")


class TimesOverlap(Conflict):
    """Two exams at the same time."""

    message = N_("这个时间您已预约了另一场考试，请选择其他场次。")


class TooLateToChange(Conflict):
    """Less than exam.change_hours before the start."""

    message = N_("开考前 {hours} 小时内不能改签。如不能参加，请取消预约。")


class ChangedAlready(Conflict):
    """A booking is changed once."""

    message = N_("每次预约只能改签 {times} 次，您已经改签过。如不能参加，请取消预约后重新预约。")


class TooLateToCancel(Conflict):
    """Begun or checked in."""

    message = N_("考试已开始或您已签到，不能再取消预约。")


class BookingOver(Conflict):
    """Cancelled or used."""

    message = N_("这个预约已取消或已使用，不能改签。请重新预约。")
