"""What an earlier run has done."""

from __future__ import annotations

import io
from pathlib import Path

from forge_cli.batch.lines import read_jsonl
from forge_cli.batch.resume import Done, done, remaining
from forge_cli.digits import one_line


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
