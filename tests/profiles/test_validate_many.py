"""A file of many profiles is read with what was learnt from the first: nothing is worked out twice."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path

from forge_cli.login import template
from forge_cli.profiles import reader
from forge_cli.profiles.document import Document
from forge_cli.profiles.validate import problems
from tests.benchmarks.validate import generated


def _problems(text: str) -> int:
    return len(problems(Document(Path("profiles.toml"), text, tomllib.loads(text))))


def test_the_plan_of_a_table_is_made_once_however_many_profiles_have_it() -> None:
    reader._plan.cache_clear()
    assert _problems(generated(1)) == 0
    once = reader._plan.cache_info().misses
    assert once > 5
    assert _problems(generated(50)) == 0
    assert reader._plan.cache_info().misses == once


def test_five_hundred_profiles_take_no_multiple_of_their_time() -> None:
    # Of the processor, not of the clock: about 0.25 s where the whole command takes its half a second.
    text = generated(500)
    begun = time.process_time()
    assert _problems(text) == 0
    assert time.process_time() - begun < 2.5


def test_a_template_is_parsed_once_however_many_profiles_have_it() -> None:
    template.parse.cache_clear()
    assert _problems(generated(1)) == 0
    once = template.parse.cache_info().misses
    assert _problems(generated(50)) == 0
    # A profile of this file has texts of its own: its URL, and nothing else that is a template.
    assert template.parse.cache_info().misses - once == 49


def test_a_slip_that_is_made_again_is_not_compared_again() -> None:
    template._distance.cache_clear()
    broken = generated(1).replace("extract =", "extrct =")
    assert _problems(broken) > 0
    once = template._distance.cache_info().misses
    assert once > 0
    assert _problems(generated(50).replace("extract =", "extrct =")) > 0
    assert template._distance.cache_info().misses == once
