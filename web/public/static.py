"""Static files: compressed by the build or once by us, cached for good where the address has a version."""

from __future__ import annotations

import asyncio
import mimetypes
from pathlib import Path

import anyio
from litestar import Request, Response, get
from litestar.params import FromPath

from training.errors import NotFound
from web.packed import packed_file, takes_packed
from web.templating import STATIC

_A_YEAR = "public, max-age=31536000, immutable"
# Fonts of the printed certificate: 59 MB that no browser needs.
_FOR_THE_SERVER = STATIC / "vendor" / "fonts"
_AN_HOUR = "public, max-age=3600"
_WORTH_PACKING = {".js", ".css", ".svg"}
mimetypes.add_type("application/wasm", ".wasm")
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("application/manifest+json", ".webmanifest")


@get("/static/{file_path:path}", include_in_schema=False)
async def static_file(request: Request, file_path: FromPath[Path]) -> Response[bytes]:  # type: ignore[type-arg]
    """One file below `web/static`."""
    path = (STATIC / str(file_path).lstrip("/")).resolve()
    is_kept_in = path.is_relative_to(STATIC.resolve()) and not path.is_relative_to(_FOR_THE_SERVER.resolve())
    if not is_kept_in or not path.is_file():
        raise NotFound
    headers = {"cache-control": _A_YEAR if request.url.query else _AN_HOUR, "vary": "accept-encoding"}
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if not takes_packed(request):
        return Response(await anyio.Path(path).read_bytes(), media_type=media_type, headers=headers)
    packed = path.with_name(path.name + ".gz")
    if packed.is_file():
        headers["content-encoding"] = "gzip"
        return Response(await anyio.Path(packed).read_bytes(), media_type=media_type, headers=headers)
    if path.suffix in _WORTH_PACKING:
        headers["content-encoding"] = "gzip"
        content = await asyncio.to_thread(packed_file, path, path.stat().st_mtime_ns)
        return Response(content, media_type=media_type, headers=headers)
    return Response(await anyio.Path(path).read_bytes(), media_type=media_type, headers=headers)


HANDLERS = [static_file]
