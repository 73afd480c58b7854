"""The Safe Exam Browser: its configuration, and the proof in a request that it runs with this one.

By the developer documentation at safeexambrowser.org (Config Key, File Format). A `.seb` file may be a
plain XML property list; the program computes the Config Key from it, and so do we. With every
request it sends SHA-256 of the address (without fragment) followed by a key, in hexadecimal digits.

The file is no secret, so the Config Key alone shows a configuration, not an honest program. A Browser
Exam Key also depends on the signed program; a site reads it off its own machines and lists it here.
One configuration serves all sessions of an organisation, so that such a key stays good.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import plistlib
import re
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urlsplit

from training.errors import N_, BadInput

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

CONFIG_KEY_HEADER = "x-safeexambrowser-configkeyhash"
EXAM_KEY_HEADER = "x-safeexambrowser-requesthash"
MEDIA_TYPE = "application/seb"
# Says which program wrote the file; not part of what the Config Key stands for.
_ORIGINATOR = "originatorVersion"
_KEY = re.compile(r"[0-9a-f]{64}")


class BadBrowserKey(BadInput):
    """Not what the program shows as its Browser Exam Key."""

    message = N_("浏览器考试密钥应为 64 位十六进制字符（0–9、a–f）。请在安全考试浏览器的“考试”设置页复制。")


def exam_settings(*, public_url: str, organisation_id: UUID, key: bytes) -> dict[str, object]:
    """How the program is set up for the exams of an organisation; the same at every call.

    `key` is a secret of this installation: it salts the keys, so that those of another one do not fit.
    """
    salt = hmac.digest(key, b"safe exam browser" + organisation_id.bytes, "sha256")
    return {
        "allowBrowsingBackForward": False,
        "allowDictation": False,
        "allowDictionaryLookup": False,
        "allowDownUploads": False,
        "allowPreferencesWindow": False,
        # Nobody is locked in: who leaves is asked once, and has left.
        "allowQuit": True,
        "allowScreenSharing": False,
        "allowSpellCheck": False,
        "allowSwitchToApplications": False,
        "allowVirtualMachine": False,
        "blockPopUpWindows": True,
        "browserViewMode": 1,
        "browserWindowAllowReload": True,
        "enableBrowserWindowToolbar": False,
        "enablePrintScreen": False,
        "enableRightMouse": False,
        # A cookie survives a crash and a new start, so that the candidate is still signed in on this
        # device; it is gone when the program is left, before the next candidate sits down.
        "examSessionClearCookiesOnEnd": True,
        "examSessionClearCookiesOnStart": False,
        "examKeySalt": salt,
        "ignoreExitKeys": True,
        "newBrowserWindowByLinkPolicy": 0,
        "newBrowserWindowByScriptPolicy": 0,
        _ORIGINATOR: "Anpei_1",
        "quitURL": f"{public_url}/sittings/seb/quit",
        "quitURLConfirm": True,
        # Answers that wait for the network live in the browser's storage.
        "removeBrowserProfile": False,
        "removeLocalStorage": False,
        "sebConfigPurpose": 0,
        "sendBrowserExamKey": True,
        "showMenuBar": False,
        "showReloadButton": True,
        "showReloadWarning": False,
        "showTaskBar": True,
        "showTime": True,
        "startURL": f"{public_url}/sittings/",
        "URLFilterEnable": True,
        "URLFilterEnableContentFilter": False,
        "URLFilterRules": [
            {"action": 1, "active": True, "expression": f"{urlsplit(public_url).netloc}/*", "regex": False}
        ],
    }


def config_file(settings: Mapping[str, object]) -> bytes:
    """The `.seb` file, unencrypted."""
    return plistlib.dumps(dict(settings), fmt=plistlib.FMT_XML, sort_keys=True)


def config_key(settings: Mapping[str, object]) -> str:
    """64 hexadecimal digits that stand for these settings, as the program computes them from the file."""
    return hashlib.sha256(seb_json(settings).encode()).hexdigest()


def seb_json(settings: Mapping[str, object]) -> str:
    """What the Config Key is the hash of: JSON without white space and, unlike JSON, without any escaping.

    Keys in order whatever their case; without the originator and without empty dictionaries.
    """
    return _written({key: value for key, value in settings.items() if key != _ORIGINATOR})


def _written(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return f'"{value}"'
        case bytes():
            return f'"{base64.b64encode(value).decode()}"'
        case list():
            return f"[{','.join(_written(one) for one in value if one != {})}]"
        case dict():
            ordered = sorted(value.items(), key=lambda pair: (pair[0].casefold(), pair[0].swapcase()))
            return f"{{{','.join(f'{_written(name)}:{_written(one)}' for name, one in ordered if one != {})}}}"
    raise TypeError(type(value))


def request_hash(url: str, key: str) -> str:
    """What the program sends with a request for an address."""
    return hashlib.sha256((urldefrag(url).url + key).encode()).hexdigest()


def is_proven(headers: Mapping[str, str], *, urls: Sequence[str], config: str, exam_keys: Collection[str] = ()) -> bool:
    """Whether a request comes from the program with this configuration.

    `urls` are the addresses that the browser may have asked for. Where an organisation lists Browser
    Exam Keys, one of them must fit too.
    """
    shown, also = headers.get(CONFIG_KEY_HEADER, "").lower(), headers.get(EXAM_KEY_HEADER, "").lower()
    return any(
        _same(shown, request_hash(url, config))
        and (not exam_keys or any(_same(also, request_hash(url, key)) for key in exam_keys))
        for url in urls
    )


def read_browser_key(text: str) -> str:
    """A Browser Exam Key as it is stored. Raises `BadBrowserKey`."""
    key = "".join(text.split()).lower()
    if not _KEY.fullmatch(key):
        raise BadBrowserKey(field="key")
    return key


def _same(shown: str, expected: str) -> bool:
    return hmac.compare_digest(shown.encode(), expected.encode())
