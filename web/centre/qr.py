"""A QR code as an SVG of one path: no inline style, sharp on any screen."""

from __future__ import annotations

from markupsafe import Markup, escape
from qrcode.constants import ERROR_CORRECT_M
from qrcode.main import QRCode


def qr_svg(text: str, *, title: str) -> Markup:
    """Draw `text`; `title` is what a screen reader says."""
    code: QRCode = QRCode(error_correction=ERROR_CORRECT_M, border=4)  # type: ignore[type-arg, unused-ignore]
    code.add_data(text)
    code.make(fit=True)
    rows = code.get_matrix()
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, is_dark in enumerate(row) if is_dark)
    return Markup(  # noqa: S704 - numbers of our own and an escaped title
        f'<svg class="qr" viewBox="0 0 {len(rows)} {len(rows)}" role="img" shape-rendering="crispEdges">'
        f'<title>{escape(title)}</title><path fill="#fff" d="M0 0h{len(rows)}v{len(rows)}H0z"/>'
        f'<path fill="#000" d="{path}"/></svg>'
    )
