from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.errors import IncompleteResponseException
from forge_cli.transport.decode import accept_encoding, decoded
from tests.conftest import Require


def raw_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return engine.compress(data) + engine.flush()


def brotli(data: bytes) -> bytes:
    return bytes(Require().package("brotli").compress(data))


def zstd(data: bytes) -> bytes:
    return bytes(Require().package("compression.zstd", "backports.zstd").compress(data))


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "bare deflate": raw_deflate,
    "br": brotli,
    "zstd": zstd,
}
everywhere = pytest.mark.parametrize("name", list(CODINGS))


def coding(name: str) -> str:
    return name.rpartition(" ")[2]


def sliced(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@everywhere
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_body_is_decoded_however_it_arrives(name: str, size: int) -> None:
    data = bytes(range(256)) * 40
    assert b"".join(decoded(sliced(CODINGS[name](data), size), coding(name))) == data


@everywhere
def test_a_body_that_is_cut_anywhere_is_an_error(name: str) -> None:
    whole = CODINGS[name](b"some text " * 20)
    for length in range(1, len(whole)):
        with pytest.raises(IncompleteResponseException, match="cut short"):
            list(decoded([whole[:length]], coding(name)))


@everywhere
def test_a_damaged_body_is_an_error(name: str) -> None:
    whole = CODINGS[name](b"some text " * 20)
    with pytest.raises(IncompleteResponseException, match=r"damaged|cut short"):
        list(decoded([b"\xff\xff\xff" + whole[3:]], coding(name)))


@everywhere
def test_a_body_of_no_bytes_is_empty_and_fine(name: str) -> None:
    CODINGS[name](b"")
    assert list(decoded([], coding(name))) == []


@everywhere
def test_a_bomb_comes_in_small_pieces(name: str) -> None:
    bomb = CODINGS[name](bytes(30_000_000))
    tracemalloc.start()
    try:
        sizes = [len(piece) for piece in decoded(sliced(bomb, 65536), coding(name), 65536)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(sizes) == 30_000_000
    assert max(sizes) <= 65536
    assert peak < 4_000_000


@given(st.binary(max_size=300), st.integers(1, 40), st.integers(1, 300))
def test_deflate_gives_all_its_output_in_pieces_of_any_size(data: bytes, piece: int, size: int) -> None:
    for pack in (zlib.compress, raw_deflate, gzip.compress):
        name = "gzip" if pack is gzip.compress else "deflate"
        pieces = list(decoded(sliced(pack(data * 5), size), name, piece))
        assert b"".join(pieces) == data * 5
        assert all(len(each) <= piece for each in pieces)


@pytest.mark.parametrize("size", [1, 1000])
def test_gzip_may_have_several_members(size: int) -> None:
    whole = gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two")
    assert b"".join(decoded(sliced(whole, size), "gzip")) == b"one two"


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("garbage", [b"\0", b"\0" * 600, b"\r\n", b"not gzip at all", b"\x1f"])
def test_what_follows_the_last_gzip_member_is_ignored(garbage: bytes, size: int) -> None:
    assert b"".join(decoded(sliced(gzip.compress(b"data") + garbage, size), "gzip")) == b"data"


def test_a_later_gzip_member_must_be_whole_too() -> None:
    second = gzip.compress(bytes(range(200)))
    with pytest.raises(IncompleteResponseException, match="cut short"):
        list(decoded([gzip.compress(b"one") + second[:-4]], "gzip"))
    with pytest.raises(IncompleteResponseException, match="damaged"):
        list(decoded([gzip.compress(b"one") + second[:-8] + bytes(8)], "gzip"))


def test_codings_are_taken_off_from_the_outside() -> None:
    assert b"".join(decoded([gzip.compress(zlib.compress(b"data"))], "deflate, GZIP")) == b"data"


@pytest.mark.parametrize("name", ["", "identity", "utf-8", "none", "aws-chunked"])
def test_what_is_no_known_coding_leaves_the_body_alone(name: str) -> None:
    assert list(decoded([b"a", b"b"], name)) == [b"a", b"b"]


def test_an_unknown_coding_outside_leaves_those_inside_alone() -> None:
    assert list(decoded([b"data"], "gzip, aws-chunked")) == [b"data"]


def test_too_many_codings_are_an_error() -> None:
    with pytest.raises(IncompleteResponseException, match="encoded 6 times"):
        decoded([b""], ", ".join(["gzip"] * 6))


def test_what_is_offered_can_be_decoded() -> None:
    offered = accept_encoding().split(", ")
    assert offered[:2] == ["gzip", "deflate"]
    for name in {"br", "zstd"}.difference(offered):
        with pytest.raises(IncompleteResponseException, match=f"'{name}', which needs") as caught:
            list(decoded([b"data"], name))
        assert caught.value.hint is not None
        assert caught.value.hint.startswith("pip install")
