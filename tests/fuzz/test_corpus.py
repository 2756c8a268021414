"""Readers of strangers' text neither break nor hang: the corpus, and then texts like it."""

from __future__ import annotations

import os
import random
import time

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.targets import SLOWEST, TARGETS, Target

SECONDS = float(os.environ.get("FORGE_FUZZ_SECONDS", "0"))
"""How long each target is fuzzed by hand; 600 before a release."""

TEXT = st.text(st.characters(codec=None), max_size=6)


def _timed(target: Target, text: str) -> None:
    begun = time.process_time()
    target(text)
    assert time.process_time() - begun < SLOWEST, "it takes too long"


def _texts(target: Target) -> st.SearchStrategy[str]:
    """Words of the target in any order, and texts of the corpus with something in the place of something else."""
    words = [word for word in target.words.split(" ") if word] + [" "]
    word = st.sampled_from(words) | TEXT
    joined = st.lists(word, max_size=25).map("".join) | st.lists(word, max_size=12).map(" ".join)
    repeated = st.builds(lambda text, times: text * times, word, st.sampled_from([10, 1000, 20_000]))
    spliced = st.builds(
        lambda text, start, end, new: text[: int(start * len(text))] + new + text[int(end * len(text)) :],
        st.sampled_from(target.seeds()),
        st.floats(0, 1),
        st.floats(0, 1),
        word | joined,
    )
    return joined | spliced | repeated


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_the_corpus_is_read_or_refused(target: Target) -> None:
    for text in target.seeds():
        _timed(target, text)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_any_text_is_read_or_refused(target: Target) -> None:
    @settings(max_examples=60, suppress_health_check=list(HealthCheck), phases=(Phase.generate, Phase.shrink))
    @given(_texts(target))
    def read(text: str) -> None:
        _timed(target, text)

    read()


@pytest.mark.skipif(not SECONDS, reason="set FORGE_FUZZ_SECONDS to fuzz for so long")
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_for_as_long_as_one_wants(target: Target) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:

        @seed(random.getrandbits(64))
        @settings(
            max_examples=2000,
            database=None,
            derandomize=False,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        )
        @given(_texts(target))
        def read(text: str) -> None:
            if time.monotonic() < end:
                _timed(target, text)

        read()
