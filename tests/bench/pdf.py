"""The certificate page against a bare reportlab page with the same fonts, texts, photo and QR code."""

from __future__ import annotations

import io
import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from operator import truediv
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from certificates.document.certificate import PrintedCertificate

ROUNDS = 15
PAGES = 120
WANTED_A_SECOND = 30


def run() -> Iterator[dict[str, Any]]:
    """CPU a page, in turn with the reference; then pages a second from two processes."""
    from certificates.document.certificate import certificate_pdf
    from tests.makers.printed import make_certificate, make_fonts

    certificate, fonts = make_certificate(), make_fonts()
    bare = _bare_fonts()
    ours, theirs = [], []
    for number in range(ROUNDS + 1):
        page = _cpu(lambda: certificate_pdf(certificate, fonts))
        reference = _cpu(lambda: _bare_page(certificate, bare))
        if number:  # the first one loads the fonts
            ours.append(page)
            theirs.append(reference)
    yield {
        "name": "pdf.certificate.cpu",
        "value": round(statistics.median(ours) * 1000, 1),
        "unit": "ms",
        "reference": round(statistics.median(theirs) * 1000, 1),
        "ratio": round(statistics.median(map(truediv, ours, theirs)), 2),
    }
    rate = _rate_of_two_processes()
    yield {
        "name": "pdf.certificate.two_processes",
        "value": round(rate, 1),
        "unit": "1/s",
        "reference": WANTED_A_SECOND,
        "ratio": round(rate / WANTED_A_SECOND, 2),
    }


def _cpu(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _bare_fonts() -> list[str]:
    from reportlab.pdfbase import pdfmetrics, ttfonts

    from tests.makers.printed import make_fonts

    fonts = make_fonts()
    names = ["bare-sans", "bare-bold", "bare-serif"]
    for name, path in zip(names, (fonts.sans, fonts.bold, fonts.serif), strict=True):
        pdfmetrics.registerFont(ttfonts.TTFont(name, str(path)))
    return names


def _bare_page(certificate: PrintedCertificate, fonts: list[str]) -> bytes:
    """reportlab as its manual shows it, without our layout, fallback, wrapping and caches."""
    from reportlab.graphics import renderPDF
    from reportlab.graphics.barcode.qr import QrCodeWidget
    from reportlab.graphics.shapes import Drawing
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, pageCompression=1, initialFontName=fonts[0])
    texts = (certificate.holder_name, certificate.number, certificate.item_name, certificate.issuer_name)
    for font in fonts:
        canvas.setFont(font, 12)
        for row, text in enumerate(texts):
            canvas.drawString(60, 700 - row * 20, text)
    canvas.drawImage(ImageReader(io.BytesIO(certificate.photo or b"")), 400, 600, 94, 131)
    drawing = Drawing(108, 108)
    drawing.add(QrCodeWidget(certificate.qr, barLevel="Q", barWidth=108, barHeight=108, barBorder=0))
    renderPDF.draw(drawing, canvas, 400, 400)
    canvas.save()
    return buffer.getvalue()


def _make_pages(count: int) -> None:
    from certificates.document.certificate import certificate_pdf
    from tests.makers.printed import make_certificate, make_fonts

    certificate, fonts = make_certificate(), make_fonts()
    for _ in range(count):
        certificate_pdf(certificate, fonts)


def _rate_of_two_processes() -> float:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_make_pages, [1, 1]))  # both load the fonts
        started = time.perf_counter()
        list(pool.map(_make_pages, [PAGES // 2] * 2))
        return PAGES / (time.perf_counter() - started)


if __name__ == "__main__":
    for figure in run():
        print(figure)
