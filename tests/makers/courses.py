"""A small course with every kind of block, as text and published."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from training.course_text import CourseText, parse_course
from training.courses import Media, publish_course

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.files import FileStore
    from training.models import CourseVersion

_numbers = itertools.count(1)

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><rect width="10" height="10"/></svg>'

COURSE = """+++
code = "{code}"
title = "{title}"
title_en = "A small course"
class_hours = "1"
version = 1
audience = ["EMPLOYEE"]
sources = ["《中华人民共和国安全生产法》"]
+++
学完后，你会看配电箱。
"""

MODULE = """+++
no = 1
title = "用电"
minutes = 45
+++

## 插线板
依据：《中华人民共和国消防法》第十六条

{text}

![插线板示意](media/strip.svg)

```question
type = "SC"
stem = "插线板能不能串接？（　）"
options = ["能", "不能", "三个以内能", "看颜色"]
key = "B"
explanation = "串接会过载。"
```

## 充电
依据：《中华人民共和国消防法》第十七条

人走断电。

!video[充电示范](media/charge.webm)

```question
type = "TF"
stem = "人走可以不断电。"
key = "F"
explanation = "无人看管的充电最危险。"
```

# 测验

```question
type = "TF"
stem = "插线板可以串接。"
key = "F"
explanation = "不可以。"
```

```question
type = "SC"
stem = "发现电线冒烟，先（　）。"
options = ["断电", "浇水", "离开不说", "拍照"]
key = "A"
explanation = "先断电。"
```

```question
type = "MC"
stem = "正确的做法有（　）。"
options = ["人走断电", "不串接", "湿手插拔", "用合格产品"]
key = "ABD"
explanation = "湿手会触电。"
```
"""

# At 400 characters a minute: one minute of reading.
TEXT = "安全用电" * 100


def course_texts(*, code: str = "T01", title: str = "用电小课", text: str = TEXT) -> dict[str, str]:
    return {"course.md": COURSE.format(code=code, title=title), "m1.md": MODULE.format(text=text)}


def course_text(*, code: str = "T01", title: str = "用电小课", text: str = TEXT) -> CourseText:
    return parse_course(course_texts(code=code, title=title, text=text), minutes_per_hour=45)


async def make_course(
    session: AsyncSession, store: FileStore, *, now: datetime, code: str = "", title: str = "用电小课", text: str = TEXT
) -> CourseVersion:
    """A published course: one module of two lessons (60 s of text; 1 s of text and a video of 20 s) and a quiz."""
    parsed = course_text(code=code or f"T{next(_numbers):03d}", title=title, text=text)
    media = {
        "media/strip.svg": Media(SVG, "image/svg+xml"),
        "media/charge.webm": Media(b"not really a video", "video/webm", 20),
    }
    return await publish_course(
        session, store=store, text=parsed, media=media, content_hash=(code + title + text).encode(), now=now
    )
