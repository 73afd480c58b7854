"""Errors whose text is the sentence shown to the person."""

from __future__ import annotations

from typing import ClassVar


def N_(message: str) -> str:  # noqa: N802 - the usual gettext marker
    """Mark a sentence for the catalogue where it is written; it is translated where it is shown."""
    return message


class AnpeiError(Exception):
    """The base of every error that a person can cause or must be told of.

    A subclass sets `message`, a Chinese sentence with `{placeholders}`. The web layer translates
    `message` and then fills in `params`; `str()` gives the Chinese sentence.
    """

    message: ClassVar[str] = ""

    def __init__(self, message: str | None = None, **params: object) -> None:
        super().__init__(message)
        self.template = message or type(self).message
        self.params = params

    def __str__(self) -> str:
        return self.template.format(**self.params)


class NotFound(AnpeiError):
    """What is asked for does not exist, or is not the viewer's."""

    message = N_("没有找到您要的内容。请检查地址是否完整，或返回上一页重新选择。")


class NotAllowed(AnpeiError):
    """The viewer's roles do not cover this."""

    message = N_("您的账号没有进行这项操作的权限。如需要，请联系本单位的管理员。")


class BadInput(AnpeiError):
    """Something that was typed cannot be used. `field` names the form field, if one is to blame."""

    def __init__(self, message: str | None = None, *, field: str = "", **params: object) -> None:
        super().__init__(message, **params)
        self.field = field


class Conflict(AnpeiError):
    """The state of things does not allow the act now."""


class TooMany(AnpeiError):
    """A rate limit was reached."""

    message = N_("操作过于频繁，请在 {seconds} 秒后再试。")


class SignInFailed(BadInput):
    """Deliberately the same for an unknown account and a wrong password."""

    message = N_("账号或密码不正确。请核对后再试；连续输错会暂时锁定账号。")


class AccountLocked(BadInput):
    """Too many wrong passwords."""

    message = N_("账号因多次输错密码已被暂时锁定，请在 {minutes} 分钟后再试，或联系管理员。")
