"""What an earlier run has done."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from forge_cli.batch.lines import read_jsonl
from forge_cli.batch.resume import Done, remaining, resumed
from forge_cli.digits import one_line
from forge_cli.errors import StorageError

ONE = '{"id": 1, "status": 200}\n'


def done(path: Path) -> Done:
    with resumed(path) as (_, found):
        return found


def test_done_is_a_line_with_a_status_and_no_error(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(
        '{"id": 1, "status": 200}\n{"id": 2, "status": null, "error": "x"}\n{"id": 3, "status": 200, "error": "x"}\n'
        'nonsense\n{"id": "4", "status": 500}\n'
    )
    found = done(path)
    assert [found.take(name) for name in (1, 2, 3, 4, "4")] == [True, False, False, False, True]


def test_ids_that_differ_only_in_their_digits_are_not_the_same(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text('{"id": 1.10, "status": 200}\n{"id": 12345678901234567890.0, "status": 200}\n')
    lines = b'{"url": "/", "id": 1.1}\n{"url": "/", "id": 1.10}\n{"url": "/", "id": 12345678901234567891.0}\n'
    left = remaining(read_jsonl(io.BytesIO(lines)), done(path))
    assert [one_line(line.id) for line in left] == ["1.1", "12345678901234567891.0"]


def test_a_half_written_last_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text('{"id": 1, "status": 200}\n{"id": 2, "stat')
    assert len(done(path)) == 1
    assert path.read_text() == '{"id": 1, "status": 200}\n'


def test_a_last_line_that_lacks_only_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text('{"id": 1, "status": 200}')
    assert len(done(path)) == 1
    assert path.read_text() == '{"id": 1, "status": 200}\n'


def test_ids_that_occur_more_than_once_are_counted() -> None:
    found = Done()
    for name in [*range(5000), 7, "7"]:
        found.add(name)
    assert [found.take(7), found.take(7), found.take(7), found.take("7")] == [True, True, False, True]
    assert all(found.take(name) for name in range(5000) if name != 7)


def test_a_file_that_is_not_there_has_nothing(tmp_path: Path) -> None:
    assert len(done(tmp_path / "none")) == 0


@pytest.mark.parametrize("last", ["{", '{"id": 2, "sta', "\0\0\0", '{"id": NaN, "status": 200}'])
def test_a_last_line_that_is_nothing_is_cut_off_after_a_result(tmp_path: Path, last: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(ONE + last)
    assert len(done(path)) == 1
    assert path.read_text() == ONE


def test_what_is_appended_follows_the_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(f'{ONE}{{"id": 2, "sta')
    with resumed(path) as (file, found):
        assert len(found) == 1
        file.write(b"next\n")
    assert path.read_text() == f"{ONE}next\n"


@pytest.mark.parametrize(
    "text",
    [
        "Dear Ada,\nthis is a letter. It",
        "a letter",
        '{"url": "/x", "id": 1}\n{"url',
        '[{"id": 1}]\n',
        '{"url": "/x"}',
        "\n",
    ],
    ids=repr,
)
def test_a_file_of_something_else_is_refused_and_stays_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "letter.txt"
    path.write_text(text)
    with pytest.raises(StorageError, match="is no file of results"):
        done(path)
    assert path.read_text() == text


def test_two_runs_at_once_have_no_file_of_results_in_common(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(f'{ONE}{{"id": 2, "sta')
    with resumed(path) as (file, _):
        with pytest.raises(StorageError, match="being written by another run"):
            done(path)
        file.write(b"x\n")
    assert len(done(path)) == 1


def test_a_directory_is_no_file_of_results(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be resumed"):
        done(tmp_path)
