"""Templates: what parses, what it means, and what is said when it does neither."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_cli.errors import ProfileError
from forge_cli.login.filters import FILTERS
from forge_cli.login.template import (
    Branch,
    Filter,
    Reference,
    Template,
    TemplateError,
    UndefinedReference,
    fill,
    nearest,
    parse,
    references,
)

VALUES: Mapping[Reference, Any] = {
    ("vars", "shop"): "acme",
    ("vars", "n"): 7,
    ("vars", "half"): 0.5,
    ("vars", "yes"): True,
    ("vars", "null"): None,
    ("vars", "list"): [1, {"ü": 2}],
    ("vars", "raw"): b"\xff\x00",
    ("vars", "ascii"): b"abc",
    ("vars", "odd"): "a b/ü~",
    ("vars", "broken"): "\ud800",
    ("steps", "user", "token"): "user-token-1",
    ("request", "headers", "X-Id"): "id-1",
    ("now",): 1_700_000_000,
}

names = st.text("ab-_9", min_size=1, max_size=3)
quoted = st.sampled_from(['"x"', "'y z'", '""', '"}"', "'??'"])
reference = st.lists(names, min_size=1, max_size=3).map(".".join)
term = st.one_of(reference, quoted, reference.map(lambda name: f"{name} + 60"), reference.map("{0} - 1.5".format))
piped = st.tuples(
    term, st.lists(st.sampled_from(["b64", "json", "trim", "hmac_sha256('k')", "iso", 'iso("ms")']), max_size=2)
).map(lambda pair: " | ".join([pair[0], *pair[1]]))
choice = st.lists(piped, min_size=1, max_size=3).map(lambda branches: "${ " + " ?? ".join(branches) + "}")
template_like = st.lists(
    st.one_of(
        choice,
        st.sampled_from(["${", "}", "$", "{", "|", "??", "(", ")", "'", '"', ".", " ", "+", "-", "now", "b64", "\n"]),
        st.sampled_from(["hmac_sha1", "regex", "pointer", "'/a'", "'('", "iso", "cert_thumbprint", "vars.raw"]),
    ),
    max_size=12,
).map("".join)

# The grammar of docs/profiles.md: what a template says, and one way to write it.
Written = tuple[Any, str]
space = st.sampled_from(["", " ", "\t", "\r\n"])
gap = st.sampled_from([" ", "\n", " \t "])
spelled = names.filter(lambda name: name.strip("-") != "")
a_reference = st.lists(spelled, min_size=1, max_size=3).map(lambda found: (tuple(found), ".".join(found)))
an_operand = st.one_of(
    a_reference,
    st.text(max_size=5).filter(lambda text: "'" not in text).map(lambda text: (text, f"'{text}'")),
    st.text(max_size=5).filter(lambda text: '"' not in text).map(lambda text: (text, f'"{text}"')),
)
an_offset = st.one_of(
    st.just((None, "")),
    st.tuples(gap, st.sampled_from("+-"), gap, st.integers(0, 10**12 - 1)).map(
        lambda found: (int(f"{found[1]}{found[3]}"), f"{found[0]}{found[1]}{found[2]}{found[3]}")
    ),
)


@st.composite
def a_filter(draw: st.DrawFn) -> Written:
    name = draw(st.sampled_from(sorted(FILTERS)))
    kind = FILTERS[name]
    if kind.most == 0 or (kind.fewest == 0 and draw(st.booleans())):
        return Filter(name, ()), name
    meant, text = draw(a_reference if kind.check else an_operand)
    return Filter(name, (meant,)), f"{name}{draw(space)}({draw(space)}{text}{draw(space)})"


@st.composite
def a_branch(draw: st.DrawFn) -> Written:
    meant, text = draw(an_operand)
    offset, added = draw(an_offset) if isinstance(meant, tuple) else (None, "")
    filters = draw(st.lists(a_filter(), max_size=3))
    text = f"{draw(space)}{text}{added}" + "".join(f"{draw(space)}|{draw(space)}{spelt}" for _, spelt in filters)
    return Branch(meant, offset, tuple(found for found, _ in filters)), text + draw(space)


@st.composite
def a_template(draw: st.DrawFn) -> Written:
    parts: list[Any] = []
    text = ""
    for literal in draw(st.lists(st.booleans(), max_size=5)):
        if literal and (not parts or not isinstance(parts[-1], str)):
            # A dollar before `${` would make an escape of it.
            plain = draw(st.text(min_size=1, max_size=5).filter(lambda found: not found.endswith("$")))
            parts.append(plain)
            text += plain.replace("${", "$${")
        else:
            branches = draw(st.lists(a_branch(), min_size=1, max_size=3))
            parts.append(tuple(found for found, _ in branches))
            text += "${" + "??".join(spelt for _, spelt in branches) + "}"
    return Template(tuple(parts)), text


def resolve(reference: Reference) -> Any:
    if reference not in VALUES:
        raise UndefinedReference(reference)
    return VALUES[reference]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("plain } text {", "plain } text {"),
        ("$", "$"),
        ("$${vars.shop}", "${vars.shop}"),
        ("$$${x}", "$${x}"),
        ("${'$'}${vars.shop}", "$acme"),
        ("a $${ b ${vars.shop} $${", "a ${ b acme ${"),
        ("${vars.shop}", "acme"),
        ("${ vars.shop }", "acme"),
        ("${\n\tvars.shop\r\n}", "acme"),
        ("https://${vars.shop}.example.com/${vars.n}", "https://acme.example.com/7"),
        ("${vars.n}", 7),
        ("${vars.yes}", True),
        ("${vars.null}", None),
        ("${vars.list}", [1, {"ü": 2}]),
        ("${vars.raw}", b"\xff\x00"),
        ("${request.headers.X-Id}", "id-1"),
        ("n=${vars.n} y=${vars.yes} h=${vars.half}", "n=7 y=true h=0.5"),
        ("${vars.n}${vars.n}", "77"),
        ("ü${vars.raw}", b"\xc3\xbc\xff\x00"),
        ("${vars.n}${vars.raw}", b"7\xff\x00"),
        ('${"}"}', "}"),
        ("${'say \"hi\"'}", 'say "hi"'),
        ('${"back\\slash"}', "back\\slash"),
        ("${now}", 1_700_000_000),
        ("${now + 60}", 1_700_000_060),
        ("${now - 60}", 1_699_999_940),
        ("${now + 0.5}", 1_700_000_000.5),
        ("t=${now - 60}", "t=1699999940"),
        ("${now + 60 | json}", "1700000060"),
    ],
)
def test_a_template_has_this_value(text: str, value: Any) -> None:
    result = parse(text).value(resolve)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${vars.none ?? vars.shop}", "acme"),
        ("${vars.none??'x'}", "x"),
        ("${vars.null ?? 'x'}", "x"),
        ("${vars.null | json ?? 'x'}", "x"),
        ("${vars.null | b64 ?? 'x'}", "x"),
        ("${vars.none | b64 ?? vars.shop | upper}", "ACME"),
        ("${vars.none | upper ?? vars.shop}", "acme"),
        ("${vars.shop ?? vars.none}", "acme"),
        ("${vars.none ?? vars.null ?? now - 1 ?? 'x'}", 1_699_999_999),
        ("Bearer ${vars.none ?? steps.user.token}", "Bearer user-token-1"),
        ("${vars.none ?? vars.n}", 7),
        ("${vars.no + 1 ?? vars.null + 1 ?? 2 ?? ''}", ""),
    ],
)
def test_a_choice_takes_the_first_branch_that_has_a_value(text: str, value: Any) -> None:
    assert parse(text).value(resolve) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${vars.shop | b64}", "YWNtZQ=="),
        ("${vars.raw | b64}", "/wA="),
        ("${vars.n | b64}", "Nw=="),
        ("${vars.odd | urlencode}", "a%20b%2F%C3%BC~"),
        ("${vars.raw | urlencode}", "%FF%00"),
        ("${vars.odd | upper}", "A B/Ü~"),
        ("${'ÄB' | lower}", "äb"),
        ("${'  a b\n' | trim}", "a b"),
        ("${vars.list | json}", '[1,{"ü":2}]'),
        ("${vars.odd | json}", '"a b/ü~"'),
        ("${vars.null | json}", "null"),
        ("${vars.yes | json}", "true"),
        ("${vars.ascii | upper}", "ABC"),
        ("${vars.shop|upper|b64|lower}", "qunnrq=="),
        ("Basic ${vars.shop | b64}", "Basic YWNtZQ=="),
    ],
)
def test_a_filter_makes_this_of_a_value(text: str, value: Any) -> None:
    assert parse(text).value(resolve) == value


@pytest.mark.parametrize(
    ("text", "problem", "column"),
    [
        ("${", "`${` is not closed", 1),
        ("ab ${vars.shop", "`${` is not closed", 4),
        ("${vars.a} ${vars.b ?? ", "`${` is not closed", 11),
        ("${vars.shop | ", "`${` is not closed", 1),
        ("${}", "a reference or a quoted text is missing before '}'", 3),
        ("${ ?? vars.a}", "a reference or a quoted text is missing before '?'", 4),
        ("${vars.a ?? }", "a reference or a quoted text is missing before '}'", 13),
        ("${vars.a | }", "the name of a filter is missing before '}'", 12),
        ("${vars.a vars.b}", "unexpected 'v'", 10),
        ("${vars.a.}", "unexpected '.'", 9),
        ("${.a}", "a reference or a quoted text is missing before '.'", 3),
        ("${vars. a}", "unexpected '.'", 7),
        ("${vars.a ? vars.b}", "unexpected '?'", 10),
        ("${vars.ä}", "unexpected '.'", 7),
        ('${"abc}', "a quote is not closed", 3),
        ("${now+60}", "misplaced '+'", 6),
        ("${now +60}", "misplaced '+'", 7),
        ("${now -60}", "misplaced '-'", 7),
        ("${now + }", "misplaced '+'", 7),
        ("${now + 60s}", "misplaced '+'", 7),
        ("${now + 1 + 2}", "misplaced '+'", 11),
        ("${'1' + 2}", "misplaced '+'", 7),
        (f"${{now + {'9' * 5000}}}", "misplaced '+'", 7),
        ("${${vars.a}}", "a reference or a quoted text is missing before '$'", 3),
        ("${vars.a | b46}", "unknown filter 'b46' (nearest: b64)", 12),
        ("${vars.a | uper}", "unknown filter 'uper' (nearest: upper)", 12),
        ("${vars.a | quack-quack}", "unknown filter 'quack-quack'", 12),
        ('${vars.a | b64("x")}', "filter 'b64' takes no argument", 12),
        ("${vars.a | b64()}", "a reference or a quoted text is missing before ')'", 16),
        ("${vars.a | json(vars.b c)}", "unexpected 'c'", 24),
        ("line one\n${vars.a | json(}", "a reference or a quoted text is missing before '}'", 26),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_a_text_that_is_no_template_is_refused_with_the_column(text: str, problem: str, column: int) -> None:
    with pytest.raises(TemplateError) as caught:
        parse(text)
    assert caught.value.message == f"{problem}: at column {column}"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("${vars.none}", "vars.none"),
        ("a${vars.none}", "vars.none"),
        ("${vars.none | b64}", "vars.none"),
        ("${vars.none ?? vars.null ?? steps.no.token}", "vars.none"),
        ("${vars.null ?? vars.none}", "vars.null"),
        ("a${vars.null}", "vars.null"),
        ("${vars.null | b64}", "vars.null"),
    ],
)
def test_a_reference_without_a_value_is_an_error_that_names_it(text: str, name: str) -> None:
    with pytest.raises(UndefinedReference) as caught:
        parse(text).value(resolve)
    assert caught.value.message == f"'{name}' has no value"
    assert caught.value.reference == tuple(name.split("."))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a${vars.list}", "'vars.list' cannot be text: it is a list"),
        ("${vars.list | upper}", "'vars.list' cannot go through 'upper': it is a list"),
        ("${vars.raw | upper}", "'vars.raw' cannot go through 'upper': its bytes are not UTF-8"),
        ("${vars.raw | json}", "'vars.raw' cannot go through 'json': it has no JSON form"),
        ("${vars.broken | b64}", "'vars.broken' cannot go through 'b64': it holds half a surrogate pair"),
        ("${vars.broken}${vars.raw}", "'vars.broken' cannot be text: it holds half a surrogate pair"),
        ("${vars.shop + 1}", "'vars.shop' is no number, so nothing can be added to it"),
        ("${vars.yes + 1}", "'vars.yes' is no number, so nothing can be added to it"),
        ("${'secret' | hexd}", "a quoted text cannot go through 'hexd': it is not hexadecimal"),
        ("${'/wA=' | b64d}é${'x' | md5 | text}", "a quoted text cannot go through 'text': its bytes are not UTF-8"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_that_names_its_reference(text: str, message: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse(text).value(resolve)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "result"),
    [("${vars.n}", "7"), ("${vars.yes}", "true"), ("${vars.ascii}", "abc"), ("x", "x"), ("${vars.n}!", "7!")],
)
def test_text_is_text_whatever_the_value_is(text: str, result: str) -> None:
    assert parse(text).text(resolve) == result


@pytest.mark.parametrize("text", ["${vars.null}", "${vars.list}", "${vars.raw}", "a${vars.raw}"])
def test_what_has_no_text_form_is_an_error_that_names_the_reference(text: str) -> None:
    with pytest.raises(ProfileError, match=r"'vars\.(null|list|raw)'"):
        parse(text).text(resolve)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("plain", ()),
        ("${'quoted'}", ()),
        ("${now + 5}", (("now",),)),
        ("${a.b ?? c | json ?? 'x'} ${d} ${a.b}", (("a", "b"), ("c",), ("d",))),
    ],
)
def test_references_are_listed_once_and_in_order(text: str, found: tuple[Reference, ...]) -> None:
    assert parse(text).references == found


def test_references_in_filter_arguments_count() -> None:
    template = parse("${vars.shop | hmac_sha256(vars.n) | hmac_sha1( '(!)' ) | hex}")
    assert template.references == (("vars", "shop"), ("vars", "n"))
    inner = hmac.digest(b"7", b"acme", "sha256")
    assert template.value(resolve) == hmac.digest(b"(!)", inner, "sha1").hex()
    with pytest.raises(TemplateError, match="filter 'hmac_sha1' needs an argument: at column 15"):
        parse("${vars.shop | hmac_sha1}")


@pytest.mark.parametrize(
    ("text", "literal"), [("", ""), ("a", "a"), ("$${a}", "${a}"), ("${a}", None), ("a${b}", None), ("${'a'}", None)]
)
def test_literal_is_the_text_without_any_reference(text: str, literal: str | None) -> None:
    assert parse(text).literal == literal


@pytest.mark.parametrize(
    ("text", "single"),
    [
        ("${steps.user.token}", ("", ("steps", "user", "token"), "")),
        ("Bearer ${steps.user.token}", ("Bearer ", ("steps", "user", "token"), "")),
        ("$${${a}!", ("${", ("a",), "!")),
        ("plain", None),
        ("", None),
        ("${a}${b}", None),
        ("${a} b ${c}", None),
        ("${a | b64}", None),
        ("${a ?? b}", None),
        ("${a + 1}", None),
        ("${'a'}", None),
    ],
)
def test_single_is_given_only_for_one_plain_reference(text: str, single: tuple[str, Reference, str] | None) -> None:
    assert parse(text).single == single


def test_fill_copies_a_tree_and_keeps_keys_and_other_values() -> None:
    tree = {"a": "${vars.n}", "${b}": ["x ${vars.shop}", {"c": 1.5, "d": True}, ("${vars.list}",)], "e": None}
    assert fill(tree, resolve) == {
        "a": 7,
        "${b}": ["x acme", {"c": 1.5, "d": True}, [[1, {"ü": 2}]]],
        "e": None,
    }
    assert tree["a"] == "${vars.n}"


def test_values_that_look_like_templates_are_not_filled_in_again() -> None:
    assert fill(["${a}"], lambda _: "${b}") == ["${b}"]
    assert fill(["${a}"], lambda _: ["${b}"]) == [["${b}"]]


def test_fill_names_the_first_undefined_reference_of_the_tree() -> None:
    with pytest.raises(UndefinedReference, match=r"vars\.first"):
        fill({"a": ["${vars.first}"], "b": "${vars.second}"}, resolve)


def test_references_of_a_tree_are_listed_in_its_order() -> None:
    tree = {"a": ["${one}", {"b": "${two ?? three}"}], "c": "${one}", "d": 5}
    assert references(tree) == (("one",), ("two",), ("three",))


def test_deep_trees_need_no_deep_stack() -> None:
    tree: Any = "${vars.n}"
    for _ in range(50_000):
        tree = [tree]
    assert references(tree) == (("vars", "n"),)
    filled = fill(tree, resolve)
    while isinstance(filled, list):
        filled = filled[0]
    assert filled == 7


@pytest.mark.parametrize(
    "text",
    [
        "${" * 100_000,
        "${a" + " ?? a" * 100_000 + "}",
        "${a" + " | json" * 100_000 + "}",
        "${a}" * 100_000,
        "$" * 500_000 + "{",
        "$${" * 200_000,
        "${" + "a." * 200_000 + "a}",
        "${a" + " " * 500_000 + "+",
        "${'" * 100_000,
    ],
    ids=["opened", "branches", "filters", "many", "dollars", "escapes", "names", "spaces", "quotes"],
)
def test_very_long_texts_are_parsed_or_refused_at_once(text: str) -> None:
    with contextlib.suppress(TemplateError):
        assert parse(text).parts


@given(st.text())
def test_any_text_without_a_mark_is_itself(text: str) -> None:
    escaped = text.replace("${", "$${")
    template = parse(escaped)
    assert template.literal == text
    assert template.value(resolve) == text


@given(st.one_of(st.text(), template_like))
def test_parsing_raises_nothing_but_template_errors(text: str) -> None:
    try:
        template = parse(text)
    except TemplateError as exc:
        column = int(exc.message.rpartition(" ")[2])
        assert 1 <= column <= len(text) + 1
    else:
        assert isinstance(template.references, tuple)


@given(a_template())
def test_what_is_written_by_the_grammar_is_what_is_parsed(written: Written) -> None:
    meant, text = written
    assert parse(text) == meant


@given(st.lists(st.sampled_from(["${", "'", '"', "|", "??", "(", ")", "$${", "}", "a.", "b64", "-", " "]), min_size=1))
def test_any_mix_of_marks_of_100_kb_is_parsed_or_refused_at_once(marks: list[str]) -> None:
    unit = "".join(marks)
    text = unit * (100_000 // len(unit))
    begun = time.process_time()
    with contextlib.suppress(TemplateError):
        assert parse(text).parts
    # Ten times what it takes here. What grew with the square of the length would take minutes.
    assert time.process_time() - begun < 5


@given(choice)
def test_what_the_grammar_allows_parses(text: str) -> None:
    assert parse(text).literal is None


@given(template_like)
def test_filling_in_raises_nothing_but_profile_errors(text: str) -> None:
    with contextlib.suppress(ProfileError):
        parse(text).value(resolve)


@given(st.text().filter(lambda text: not any("\ud800" <= letter <= "\udfff" for letter in text)))
def test_text_filters_agree_with_the_standard_library(text: str) -> None:
    def value(filter: str) -> Any:
        return parse(f"${{x | {filter}}}").value(lambda _: text)

    assert value("urlencode") == quote(text, safe="")
    assert value("b64") == base64.b64encode(text.encode()).decode()
    assert json.loads(value("json")) == text
    assert value("trim") == text.strip()


@given(st.binary())
def test_bytes_beside_text_make_bytes(raw: bytes) -> None:
    assert parse("ü${x}!").value(lambda _: raw) == "ü".encode() + raw + b"!"


@pytest.mark.parametrize(
    ("word", "choices", "found"),
    [
        ("tokn", ["token", "timeout"], "token"),
        ("reqest", ["extract", "request"], "request"),
        ("usre", ["other", "user"], "user"),
        ("Token", ["token"], "token"),
        ("paswrod", ["password", "passport"], "password"),
        ("zzz", ["token"], None),
        ("a", ["b"], None),
        ("", ["a"], None),
        ("token", [], None),
        ("x" * 10_000, ["x" * 10_000], None),
    ],
    ids=lambda value: value[:10] if isinstance(value, str) else None,
)
def test_nearest_is_what_was_most_likely_meant(word: str, choices: list[str], found: str | None) -> None:
    assert nearest(word, choices) == found
