"""Calls as a spreadsheet, piece by piece: memory stays the same for ten calls and for ten million.

No cell may be a formula. What callers say and operators type gets into spreadsheets, and a cell that begins with `=` runs on the machine of
whoever opens it: in XLSX every text is written as text, in CSV (which has no types) an apostrophe stands before such a beginning.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from xml.sax.saxutils import escape

Cell = str | int | Decimal | datetime | bool | None
Rows = Iterable[Sequence[Cell]]

_FORMULA: Final = re.compile(r"\s*[=+\-@＝＋－＠|%]|[\t\r\n]")
_NUMBER: Final = re.compile(r"[+\-]?\d+(\.\d+)?")
PIECE_BYTES: Final = 64 * 1024


def harmless(text: str) -> str:
    """The text as a cell of a CSV file; a plain number, also a telephone number with its plus, is left as it is."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def _plain(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else ""
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="seconds")
    return "" if cell is None else harmless(cell) if isinstance(cell, str) else str(cell)


def csv_pieces(head: Sequence[str], rows: Rows) -> Iterator[bytes]:
    """UTF-8 with a mark in front, without which Excel reads Hindi as something else."""
    page = io.StringIO()
    writer = csv.writer(page)
    page.write("\ufeff")
    writer.writerow(head)
    for row in rows:
        writer.writerow([_plain(cell) for cell in row])
        if page.tell() >= PIECE_BYTES:
            yield page.getvalue().encode()
            page.seek(0)
            page.truncate()
    yield page.getvalue().encode()


# --- XLSX: a zip of a few XML files, written front to back -------------------------------------------------------------------

MOST_ROWS: Final = 1_048_576  # Excel's own limit for a sheet; the rest goes into further sheets
LONGEST_CELL: Final = 32_767
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel's days have no zone
_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_RELATIONS: Final = "application/vnd.openxmlformats-package.relationships+xml"
_KIND: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_STYLES: Final = (
    f'{_XML}<styleSheet xmlns="{_MAIN}"><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
    "<borders count=\"1\"><border><left/><right/><top/><bottom/><diagonal/></border></borders>"
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="3">'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs></styleSheet>'
)  # fmt: skip
_SHEET: Final = (
    f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft"'
    ' state="frozen"/></sheetView></sheetViews><sheetFormatPr defaultRowHeight="15" defaultColWidth="18"/><sheetData>'
)


class _Pipe(io.RawIOBase):
    """What a zip is written to: it can only be appended to, and is emptied into the answer as it fills."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        added = bytes(piece)  # type: ignore[call-overload]  # any buffer, as RawIOBase has it
        self._held += added
        return len(added)

    def taken(self) -> bytes:
        held, self._held = bytes(self._held), bytearray()
        return held

    @property
    def is_full(self) -> bool:
        return len(self._held) >= PIECE_BYTES


def xlsx_pieces(head: Sequence[str], rows: Rows, *, most_rows: int = MOST_ROWS) -> Iterator[bytes]:
    """A workbook with as many sheets as the rows need."""
    pipe, waiting, sheets = _Pipe(), iter(rows), 0
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as book:
        following = next(waiting, None)
        while sheets == 0 or following is not None:
            sheets += 1
            with book.open(f"xl/worksheets/sheet{sheets}.xml", "w") as sheet:
                sheet.write((_SHEET + _row(head, style=1)).encode())
                written = 1
                while following is not None and written < most_rows:
                    sheet.write(_row(following).encode())
                    written, following = written + 1, next(waiting, None)
                    if pipe.is_full:
                        yield pipe.taken()
                sheet.write(b"</sheetData></worksheet>")
            yield pipe.taken()
        for name, content in _frame(sheets):
            book.writestr(name, content)
    yield pipe.taken()


def _row(cells: Sequence[Cell], style: int = 0) -> str:
    return f"<row>{''.join(_cell(cell, style) for cell in cells)}</row>"


def _cell(cell: Cell, style: int) -> str:
    if cell is None or cell == "":
        return "<c/>"
    if isinstance(cell, bool):
        return f'<c t="b"><v>{int(cell)}</v></c>'
    if isinstance(cell, datetime):
        return f'<c s="2"><v>{(cell.replace(tzinfo=None) - _EPOCH).total_seconds() / 86400:.9f}</v></c>'
    if isinstance(cell, int | Decimal):
        return f"<c><v>{cell}</v></c>"
    text = escape(_NOT_XML.sub("", cell)[:LONGEST_CELL])
    return f'<c t="inlineStr" s="{style}"><is><t xml:space="preserve">{text}</t></is></c>'


def _frame(sheets: int) -> Iterator[tuple[str, str]]:
    numbers = range(1, sheets + 1)
    parts = "".join(f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_KIND}.worksheet+xml"/>' for n in numbers)
    yield (
        "[Content_Types].xml",
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType="{_RELATIONS}"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_KIND}.styles+xml"/>{parts}</Types>',
    )
    book = f'<Relationship Id="book" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    yield "_rels/.rels", f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{book}</Relationships>'
    names = "".join(f'<sheet name="Calls{f" {n}" if n > 1 else ""}" sheetId="{n}" r:id="sheet{n}"/>' for n in numbers)
    yield "xl/workbook.xml", f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{names}</sheets></workbook>'
    links = "".join(f'<Relationship Id="sheet{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers)
    styles = f'<Relationship Id="styles" Type="{_OFFICE}/styles" Target="styles.xml"/>'
    yield "xl/_rels/workbook.xml.rels", f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{links}{styles}</Relationships>'
    yield "xl/styles.xml", _STYLES
