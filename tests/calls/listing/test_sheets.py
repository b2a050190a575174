"""Spreadsheets: nothing in them runs, every program can read them, and they are made piece by piece."""

import csv
import io
import zipfile
from datetime import datetime
from decimal import Decimal
from xml.etree import ElementTree

import pytest

from calls.listing.sheets import PIECE_BYTES, Cell, csv_pieces, harmless, xlsx_pieces

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
ROW: list[Cell] = ["sess_1", "=1+1", "नमस्ते <&> \x00\ud800", datetime(2026, 3, 1, 18, 0), 84, Decimal("1.4160"), None, True]  # noqa: DTZ001


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1", "|x", "%0A"])
def test_a_cell_that_would_run_gets_an_apostrophe(text):
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["+919876543212", "-12.5", "sess_1", "a=b", "", "नमस्ते", "12"])
def test_any_other_cell_stays_as_it_is(text):
    assert harmless(text) == text


def test_csv_can_be_read_back():
    rows: list[list[Cell]] = [["=x", 'say "hi",\nthere'], [None, Decimal("2.50")]]
    pieces = b"".join(csv_pieces(["A", "B"], rows))
    assert pieces.startswith(b"\xef\xbb\xbf")
    assert list(csv.reader(io.StringIO(pieces.decode("utf-8-sig")))) == [["A", "B"], ["'=x", 'say "hi",\nthere'], ["", "2.50"]]


def sheet(book: zipfile.ZipFile, number: int) -> list[list[tuple[str | None, str]]]:
    root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))
    return [[(cell.get("t"), "".join(cell.itertext())) for cell in row] for row in root.iter(f"{MAIN}row")]


def test_xlsx_is_a_workbook_whose_texts_are_texts():
    book = zipfile.ZipFile(io.BytesIO(b"".join(xlsx_pieces(list("ABCDEFGH"), [ROW]))))
    assert book.testzip() is None
    for name in book.namelist():
        ElementTree.fromstring(book.read(name))
    head, row = sheet(book, 1)
    assert [cell for _kind, cell in head] == list("ABCDEFGH")
    assert row[:3] == [("inlineStr", "sess_1"), ("inlineStr", "=1+1"), ("inlineStr", "नमस्ते <&> ")]
    assert row[3:] == [(None, "46082.750000000"), (None, "84"), (None, "1.4160"), (None, ""), ("b", "1")]
    assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


def test_what_one_sheet_cannot_hold_goes_on_in_the_next():
    book = zipfile.ZipFile(io.BytesIO(b"".join(xlsx_pieces(["N"], [[n] for n in range(5)], most_rows=3))))
    assert [[cell for _kind, cell in row[:1]] for number in (1, 2, 3) for row in sheet(book, number)] == [
        ["N"], ["0"], ["1"], ["N"], ["2"], ["3"], ["N"], ["4"],
    ]  # fmt: skip
    assert book.read("xl/workbook.xml").count(b"<sheet ") == 3


@pytest.mark.parametrize("pieces", [csv_pieces, xlsx_pieces])
def test_rows_are_asked_for_only_as_the_file_is_taken(pieces):
    asked = 0

    def rows():
        nonlocal asked
        for number in range(200_000):
            asked += 1
            yield [f"sess_{number * 7919 % 1_000_003:022}", number]

    file = pieces(["Call", "N"], rows())
    first = next(file)
    assert asked < 60_000 and len(first) < 4 * PIECE_BYTES
    assert max(len(piece) for piece in file) < 4 * PIECE_BYTES
    assert asked == 200_000
