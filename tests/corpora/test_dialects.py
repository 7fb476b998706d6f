"""How tables are written: each way is recognised and said, or refused by its name."""

from __future__ import annotations

import csv
import io
import math
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_jax.corpora.table import load_table
from dser_jax.corpora.tables.cells import fold_space, read_number
from dser_jax.corpora.tables.dialect import DECIMALS, QUOTING, SEPARATORS, Dialect
from dser_jax.corpora.utterances import Utterance
from dser_jax.data.splits import make_split
from dser_jax.features.imported.loading import load_imported
from dser_jax.features.imported.reading import read_features
from dser_jax.features.tokenizer import split_words
from dser_jax.predict.recordings import find
from dser_jax.system.errors import DataError, DserError


@pytest.fixture
def table(tmp_path):
    """Writes a table and returns its path."""

    def write(text: str | bytes, name: str = "labels.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def load(path: Path, **options):
    return load_table(path, scale=(1, 5), **options)


def words(path: Path, **options) -> list[str | None]:
    return [utterance.transcript for utterance in load(path, **options).utterances]


# Quotes that are not meant as quotes

THINGS = ("sun", "moon", "lamp", "boat", "hill", "road", "wind", "rain", "fire")
LINES = [f"the {thing} is here" for thing in THINGS]
UNESCAPED = [*LINES[:3], '"when the lamp is out', *LINES[3:5], 'the wheel turns"', *LINES[5:], "so"]


def test_a_tsv_takes_quotes_for_characters_unless_all_close(table):
    rows = [f"r{i}.wav\t3\t{text}" for i, text in enumerate(UNESCAPED)]
    path = table("\n".join(["file\tvalence\ttranscript", *rows]) + "\n", "labels.tsv")
    corpus = load(path)
    assert [utterance.transcript for utterance in corpus.utterances] == UNESCAPED
    assert corpus.found[0] == "labels.tsv: 12 rows, tab, no quoting, UTF-8"
    asked = find([path])
    assert [piece.text for piece in asked.pieces] == UNESCAPED
    assert asked.said == corpus.found[:1]
    quoted = path.read_text().replace("the sun is here", '"the ""sun""\tis here"')
    closed = quoted.replace('"when', "when").replace('turns"', "turns")
    corpus = load(table(closed, "labels.tsv"))
    assert corpus.utterances[0].transcript == 'the "sun" is here'
    assert corpus.found[0] == "labels.tsv: 12 rows, tab, quoted cells, UTF-8"


@pytest.mark.parametrize("header", ["file,transcript,valence", "transcript,valence,file"])
def test_a_csv_never_swallows_rows(table, header):
    fields = header.split(",")
    rows = [
        ",".join({"file": f"r{i}.wav", "valence": "3", "transcript": text}[f] for f in fields)
        for i, text in enumerate(UNESCAPED)
    ]
    path = table("\n".join([header, *rows]) + "\n")
    message = r"labels\.csv:5: a quoted cell that goes on to line 8, found 'when the lamp.*quoting"
    for read in (load, lambda path: find([path])):
        with pytest.raises(DataError, match=message):
            read(path)
    assert words(path, dialect=Dialect(quoting=False)) == UNESCAPED
    with pytest.raises(DataError, match=r":5: unexpected end of data; .*--quoting none"):
        load(table("\n".join([header, *rows[:6]])))


def test_a_cell_of_several_lines_is_read_where_it_cannot_be_rows(table):
    text = 'file,transcript,valence\na.wav,"one\ntwo",3\nb.wav,"three, ""four""",4\n'
    corpus = load(table(text))
    assert [u.transcript for u in corpus.utterances] == ["one two", 'three, "four"']
    assert [u.source[-2:] for u in corpus.utterances] == [":2", ":4"]
    with_comma = table(text.replace("one\n", "one,\n"))
    with pytest.raises(DataError, match=r":2: a quoted cell that goes on to line 3"):
        load(with_comma)
    assert words(with_comma, dialect=Dialect(quoting=True))[0] == "one, two"
    # Of one column nobody can tell whether it is a cell of two lines or two rows.
    alone = table('text\n"the lamp\nis out"\n', "words.csv")
    with pytest.raises(DataError, match=r"words\.csv:2: a quoted cell that goes on to line 3"):
        find([alone])
    assert len(find([alone], dialect=Dialect(quoting=False)).pieces) == 2


# Separators, decimal signs, encodings


def test_semicolons_and_decimal_commas(table):
    text = "file;start;end;valence;arousal\na.wav;0,5;1,25;3,5;2\nb.wav;;;−,5;1,5\n"
    corpus = load_table(table(text), scale=(-5, 5))
    one, two = corpus.utterances
    assert (one.start, one.end, one.valence, one.arousal) == (0.5, 1.25, 3.5, 2)
    assert two.valence == -0.5
    assert corpus.found[0] == "labels.csv: 2 rows, semicolon, decimal commas, UTF-8"
    piece = find([table(text)]).pieces[0]
    assert (piece.start, piece.end) == (0.5, 1.25)
    quoted = 'file,valence\na.wav,"3,5"\nb.wav,"2,25"\n'
    assert [u.valence for u in load(table(quoted)).utterances] == [3.5, 2.25]


def test_both_decimal_signs_are_an_error_that_says_so(table):
    path = table("file;valence\na.wav;3,5\nb.wav;2.5\n")
    otherwise = ", unless --decimal says otherwise"
    wrong = r":3: .*not a number, found '2\.5'; .*decimal comma"
    with pytest.raises(DataError, match=wrong + otherwise):
        load(path)
    with pytest.raises(DataError, match=rf"{wrong}$"):
        load(path, dialect=Dialect(decimal=","))
    with pytest.raises(DataError, match=r":2: .*not a number, found '3,5'; .*decimal point$"):
        load(path, dialect=Dialect(decimal="."))
    doubtful = table("file;start;valence\na.wav;1,500;3\n")
    with pytest.raises(DataError, match=r":2: .*group thousands, found '1,500'; .*--decimal comma"):
        load(doubtful)
    assert load(doubtful, dialect=Dialect(decimal=",")).utterances[0].start == 1.5
    assert load(table("file;start;valence\na.wav;1,500;3,125\n")).utterances[0].start == 1.5


@pytest.mark.parametrize("number", ["1_5", "0x2", "1.2.3", "2 5", "٣", "infinity", "1,5"])
def test_what_only_python_takes_for_a_number_is_none(table, number):
    with pytest.raises(DataError, match="the valence is not a number"):
        load(table(f"file\tvalence\na.wav\t{number}\nb.wav\t2.5\nc.wav\t2,5\n"))


def test_more_than_one_separator(table):
    fits = table("file;valence, mean\na.wav;3, sure\n")
    with pytest.raises(DataError, match=r":1: more than one separator.*comma or semicolon"):
        load(fits)
    named = Dialect(separator=";")
    with pytest.raises(DataError, match=r"no labels; .*are file, valence, mean"):
        load(fits, dialect=named)
    told = load(table("file;valence;note, if any\na.wav;3;\nb.wav;4;well, yes\n"))
    assert told.found[0] == "labels.csv: 2 rows, semicolon, UTF-8"
    assert [u.valence for u in told.utterances] == [3, 4]


def test_the_hint_of_spreadsheets_is_no_header(table):
    corpus = load(table("sep=;\r\nfile;valence\r\na.wav;3\r\n"))
    assert corpus.utterances[0].source.endswith(":3")
    with pytest.raises(DataError, match=r"saved as CSV"):
        load(table(b"PK\x03\x04...", "labels.xlsx"))


def test_encodings(table):
    text = "file,valence,speaker\na.wav,1,René\nb.wav,2,Jürgen\n"
    for encoding, name in (("utf-8-sig", "UTF-8"), ("utf-16", "UTF-16"), ("utf-32", "UTF-32")):
        corpus = load(table(text.encode(encoding)))
        assert [u.speaker for u in corpus.utterances] == ["René", "Jürgen"]
        assert corpus.found[0].endswith(f", {name}")
    plain = table(text.encode("cp1252"))
    with pytest.raises(DataError, match=r":2: a byte that is not UTF-8, .*--encoding cp1252"):
        load(plain)
    corpus = load(plain, dialect=Dialect(encoding="cp1252"))
    assert corpus.utterances[0].speaker == "René"
    assert corpus.found[0] == "labels.csv: 2 rows, comma, cp1252"
    unmarked = table("file,valence\na.wav,1\n".encode("utf-16-le"))
    with pytest.raises(DataError, match=r"a byte of zero.*--encoding utf-16-le"):
        load(unmarked)
    assert len(load(unmarked, dialect=Dialect(encoding="utf-16-le")).utterances) == 1
    with pytest.raises(DataError, match=r"not in cp1252; expected utf-8-sig"):
        load(table(text.encode("utf-8-sig")), dialect=Dialect(encoding="cp1252"))
    with pytest.raises(DserError, match="no encoding is called 'klingon'"):
        load(plain, dialect=Dialect(encoding="klingon"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_ends_of_lines(table, end):
    text = f"file,transcript,valence{end}a.wav,the lamp,3{end}b.wav,the boat,4{end}"
    assert words(table(text)) == ["the lamp", "the boat"]


def test_a_carriage_return_in_the_only_column_is_an_error(table):
    asked = find([table("file\na.wav\rb.wav\nc.wav\n")])
    assert "wrong number of cells, found 2; expected 1" in (asked.pieces[0].problem or "")
    assert asked.pieces[1].problem is None


def test_a_table_from_a_pipe_is_read_once(tmp_path):
    path = tmp_path / "labels.csv"
    os.mkfifo(path)
    text = 'file,transcript,valence\na.wav,"the lamp, here",3\n'
    with ThreadPoolExecutor() as pool:
        pool.submit(path.write_text, text)
        assert words(path) == ["the lamp, here"]


def test_white_space_is_folded_in_all_cells_but_paths(table, tmp_path):
    cell = "\ufeff the\u00a0 lamp\u200b is\tout\r"
    text = f"\u00a0File ,Transcript,Valence,session\na  b.wav,{cell},3,day \u00a01\n"
    for end in ("\n", "\r\n"):
        path = table(text.replace("\n", end))
        (first,) = load(path).utterances
        assert (first.transcript, first.session) == ("the lamp is out", "day 1")
        assert first.file == tmp_path / "a  b.wav"
        (piece,) = find([path]).pieces
        assert (piece.text, piece.file) == (first.transcript, first.file)
    (given_text,) = find([tmp_path / "x.wav"], [cell]).pieces
    (tmp_path / "y.wav").touch()
    (tmp_path / "y.txt").write_text(cell, "utf-8")
    (beside,) = find([tmp_path / "y.wav"]).pieces
    assert given_text.text == beside.text == "the lamp is out"


def test_a_header_is_missed(table):
    with pytest.raises(DataError, match=r"has the table no header\?"):
        load(table("a.wav,3.5\nb.wav,2.5\n"))


# Cells that hold nothing


def test_nan_is_a_word_in_a_transcript_and_nothing_elsewhere(table):
    text = (
        "file,transcript,valence,speaker,session\na.wav,nan,3,ann,1\nb.wav,None,nan,NA,null\n"
        "c.wav,NA,NULL,<NA>,None\nd.wav,so,2,N/A,nan\n"
    )
    corpus = load(table(text))
    assert [u.transcript for u in corpus.utterances] == ["nan", "None", "NA", "so"]
    assert [u.session for u in corpus.utterances] == ["1", None, None, None]
    assert [u.speaker for u in corpus.utterances] == ["ann", None, None, None]
    assert [math.isnan(u.valence) for u in corpus.utterances] == [False, True, True, False]
    assert [piece.text for piece in find([table(text)]).pieces] == ["nan", "None", "NA", "so"]
    doubt = "labels.csv: 3 transcripts taken for what was said: NA None nan; --missing NA None nan"
    assert f"{doubt} takes them for none" in corpus.found
    assert find([table(text)]).said[1] == f"{doubt} takes them for none"
    named = Dialect(missing=("nan", "2"))
    pieces = find([table(text)], dialect=named).pieces
    assert [piece.text for piece in pieces] == [None, "None", "NA", "so"]
    corpus = load(table(text), dialect=named)
    assert [u.transcript for u in corpus.utterances] == [None, "None", "NA", "so"]


def test_rows_without_a_session_are_no_session(table):
    rows = [f"r{i}.wav,{1 + i % 5},p{i},s{i % 2}\n" for i in range(10)]
    rows += ["r10.wav,2,p1,nan\n", "r11.wav,3,p2,nan\n"]
    corpus = load(table("file,valence,speaker,session\n" + "".join(rows)))
    assert "sessions: 2, s1 is the last; none in 2 utterances" in corpus.found
    with pytest.raises(DserError, match="2 of 12 utterances without a session"):
        make_split(corpus.utterances, "last_session", "strict")


# Any way of writing, and any damage

SIGNS = st.text(" ,;|\t\"'.-", max_size=3)
WORDS = st.sampled_from(["a", "été", "boß"])
TEXTS = st.tuples(SIGNS, WORDS, SIGNS, WORDS, SIGNS).map("".join)


@settings(max_examples=80, deadline=None)
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=6),
    separator=st.sampled_from([*SEPARATORS.values()]),
    decimal=st.sampled_from([*DECIMALS.values()]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONE]),
    order=st.permutations(["file", "transcript", "valence", "session"]),
    named=st.booleans(),
)
def test_every_dialect_gives_the_same_corpus_or_is_named(
    tmp_path_factory, texts, separator, decimal, encoding, end, quoting, order, named
):
    rows = [
        {"file": f"r{i}.wav", "transcript": text, "valence": f"{1 + i / 4}", "session": f"s{i % 2}"}
        for i, text in enumerate(texts)
    ]
    lines = [order]
    for row in rows:
        cells = row | {"valence": row["valence"].replace(".", decimal)}
        lines.append([cells[field] for field in order])
    if quoting == csv.QUOTE_NONE:
        text = end.join([*(separator.join(line) for line in lines), ""])
    else:
        stream = io.StringIO(newline="")
        csv.writer(stream, delimiter=separator, quoting=quoting, lineterminator=end).writerows(
            lines
        )
        text = stream.getvalue()
    path = tmp_path_factory.mktemp("dialect") / "labels.csv"
    path.write_bytes(text.encode(encoding))
    known = Dialect(encoding=encoding if encoding == "cp1252" else None)
    if named:
        known = Dialect(separator, quoting != csv.QUOTE_NONE, decimal, encoding)
    bad = None
    try:
        corpus = load(path, dialect=known)
    except DataError as error:
        bad = str(error)
    if bad is not None:
        # What nobody can write in this way: a separator in a cell without quotes, and the like.
        assert quoting == csv.QUOTE_NONE, bad
        assert any(name in bad for name in (*SEPARATORS, "quot", "decimal")), bad
        assert any(sign in "".join(texts) for sign in '",;|\t') or decimal == separator
        return
    want = [(row["file"], float(row["valence"]), row["session"]) for row in rows]
    got = [(u.file.name, u.valence, u.session) for u in corpus.utterances]
    assert got == want
    assert [split_words(u.transcript) for u in corpus.utterances] == [*map(split_words, texts)]
    assert f"{len(rows)} row" in corpus.found[0]


def damaged(text: str, rng: random.Random) -> str:
    """Cuts, doubles, swaps or replaces a few characters, or a column's cells or name."""
    for _ in range(rng.randint(1, 3)):
        at, width = rng.randrange(len(text)), rng.randint(1, 12)
        part, rest = text[at : at + width], text[at + width :]
        how = rng.randrange(7)
        if how == 0:
            text = text[:at] + rest
        elif how == 1:
            text = text[:at] + part + part + rest
        elif how == 2:
            text = text[:at] + part[::-1] + rest
        elif how == 3:
            text = text[:at] + rng.choice('",;\t\n\r\0|\udcff') + rest
        elif how == 4:
            text = text[:at]
        else:
            lines = [line.split(",") for line in text.split("\n")]
            column = rng.randrange(4)
            first, last = (0, 1) if how == 5 else (1, len(lines))
            for line in lines[first:last]:
                if column < len(line):
                    line[column] = f"x{line[column]}" if how == 5 else ""
            text = "\n".join(",".join(line) for line in lines)
        if not text:
            break
    return text


def rows_in(text: str, separator: str | None) -> dict[int, str]:
    """Returns the lines that hold anything; those of a quoted cell without separators as one."""
    rows: dict[int, str] = {}
    last = 0
    for number, line in enumerate(text.split("\n"), 1):
        before = rows.get(last, "")
        inside = before.rpartition('"')[2] + line.partition('"')[0]
        if separator and before.count('"') % 2 and separator not in inside:
            rows[last] += "\n" + line
        else:
            last = number
            rows[number] = line
    return {number: row for number, row in rows.items() if row.strip(", \t\r\n")}


def read_or_refused(read):
    """Returns what is read, or None where it is refused in words."""
    try:
        return read()
    except DserError:
        return None


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
@pytest.mark.parametrize("seed", range(12))
def test_damage_gives_the_rows_that_are_there_or_an_error(tmp_path, seed, suffix):
    rng = random.Random(seed)
    header = "file,transcript,valence,session\n"
    rows = [f"r{i}.wav,word{i} lamp{i} boat{i},{1 + i % 5},s{i % 3}\n" for i in range(8)]
    if seed % 2:
        rows = [row.replace(f"word{i} ", f'"word{i} ').replace(f"boat{i}", f'boat{i}"')
                for i, row in enumerate(rows)]  # fmt: skip
    path = tmp_path / f"labels{suffix}"
    for _ in range(12):
        text = damaged(header + "".join(rows), rng)
        if suffix == ".tsv":
            text = text.replace(",", "\t")
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        there = rows_in(text, "," if suffix == ".csv" else None)
        found = read_or_refused(lambda: load(path).utterances)
        pieces = read_or_refused(lambda: find([path]).pieces)
        for each in (found, pieces):
            assert each is None or len(each) == len(there) - 1
        for utterance in found or ():
            # What a row says stands there.
            row = fold_space(there[int(utterance.source.rsplit(":", 1)[1])])
            said = f"{utterance.file.name if utterance.file else ''} {utterance.transcript or ''}"
            assert all(word in row for word in said.split())


@pytest.mark.parametrize("seed", range(6))
def test_damaged_features_are_those_that_are_there_or_an_error(tmp_path, seed):
    rng = random.Random(seed)
    rows = [f"r{i}.wav,{i}.25,{i}.5,{i}\n" for i in range(1, 9)]
    path = tmp_path / "x.csv"
    for _ in range(12):
        text = damaged("file,a,b,c\n" + "".join(rows), rng)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        found = read_or_refused(lambda: read_features(path, "x", Dialect(), header=True))
        if found is not None:
            lines = [*rows_in(text, ",").values()][1:]
            assert len(found.values) == len(lines)
            for values, line in zip(found.values, lines, strict=True):
                cells = [cell.strip("\r ") for cell in line.split(",")]
                numbers = {read_number(cell) for cell in cells}
                assert all(value in numbers or np.isnan(value) for value in values)


def test_features_share_the_reading(table):
    rows = [Utterance(f"u{i}") for i in range(2)]
    path = table("file|a|b\nu0|0,5|1\nu1|,25|2\n", "x.csv")
    found = load_imported(path, "mine", rows)
    assert [part.tolist() for part in found.utterances] == [[[0.5, 1]], [[0.25, 2]]]
    assert found.said == ["x.csv: 2 rows, bar, decimal commas, UTF-8"]
    times = table("frameTime;a\n0,0;1\n9,5;2\n10,25;3\n0,0;4\n", "x.csv")
    assert [len(part) for part in load_imported(times, "mine", rows).utterances] == [3, 1]
    for text in ("0.5;1.5\n0.25;2\n", "5;7\n3;2\n"):
        with pytest.raises(DataError, match=r"no header\?"):
            load_imported(table(text, "x.csv"), "mine", rows)


def test_signs_have_names():
    assert {*SEPARATORS.values()} == set(",;\t|")
    assert {*QUOTING.values()} == {True, False}
