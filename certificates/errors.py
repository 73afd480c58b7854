"""What can go wrong between a passed exam and its certificate, and afterwards."""

from __future__ import annotations

from training.errors import N_, BadInput, Conflict


class NotPassed(Conflict):
    """Parts are still missing or not released."""

    message = N_("还不能申请证书：需要的考试部分尚未全部合格，或成绩还没有公布。请在考试页面查看进度。")


class PartTooOld(Conflict):
    """A passed part counts for some months only (104号 art. 10)."""

    message = N_("合格成绩的有效期是 {months} 个月，已经超过，不能再申请证书。请重新报名考试。")


class Banned(Conflict):
    """No applications until a day (domain.md §2.6)."""

    message = N_("您在 {until} 之前不能申请证书。如有异议，可以依法申请行政复议或提起行政诉讼。")


class NoLongerPassed(Conflict):
    """A score changed after the certificate was asked for."""

    message = N_("申请之后考试成绩有更正，需要的考试部分不再全部合格，不能签发。请核对成绩，并写明理由不予签发。")


class NotYours(Conflict):
    """Nobody issues a certificate to themselves."""

    message = N_("不能为自己签发、撤销或注销证书，请由其他签发人办理。")


class RequestDecided(Conflict):
    """Another issuer was faster."""

    message = N_("这份证书申请已经有了决定。请返回列表查看。")


class ReasonMissing(BadInput):
    """A decision against somebody gives its reason."""

    message = N_("请写明理由，持证人会看到这段文字。")


class GroundMissing(BadInput):
    """A certificate is taken back on a ground of the law only."""

    message = N_("请选择法定情形。")


class NotAnAuthority(Conflict):
    """Regulated certificates are for the authority alone."""

    message = N_("只有考核发证机关可以签发这种证书；培训机构和企业只能签发培训合格证明。")


class ProofNotYours(Conflict):
    """The training was given by somebody else."""

    message = N_("只能为本单位实施的培训签发合格证明。")


class TrainingNotPassed(Conflict):
    """There is nothing to prove."""

    message = N_("这条培训记录的结果不是合格，或已被更正，不能签发培训合格证明。")


class NotRevocable(Conflict):
    """It ended already."""

    message = N_("这张证书已经撤销、注销或换发，不能再次处理。")


class NoReviewDue(Conflict):
    """This certificate is not reviewed, or was."""

    message = N_("这张证书不需要复审，或已经复审、失效。")


class WrongCaptcha(BadInput):
    """Typed wrongly, used before, or too old."""

    message = N_("验证码不正确或已失效，已为您换了一个新的，请重新输入。")
