"""Which error has which exit code, and which failure a person hears of."""

from __future__ import annotations

import pytest

from forge_cli.cli.exit_codes import EXIT_CODES, HINTS, MEANINGS, ExitCode, cause_of, exit_code_of, status_code
from forge_cli.errors import (
    AuthenticationException,
    BadRequestException,
    CircuitOpenException,
    ConnectionException,
    ForgeError,
    HttpClientException,
    IncompleteResponseException,
    LockTimeout,
    MaxRetryException,
    MissingSecret,
    NeedsPerson,
    NotFoundException,
    ProfileError,
    RedirectException,
    RequestBuildException,
    ServerErrorException,
    SSLException,
    StepFailed,
    StorageError,
    TimeoutException,
    TokenRefreshException,
    UsageError,
)

CODES = [
    (UsageError("x"), 2),
    (ProfileError("x"), 2),
    (MissingSecret("x"), 2),
    (RequestBuildException("x"), 2),
    (BadRequestException(), 4),
    (NotFoundException(), 4),
    (ServerErrorException(), 5),
    (RedirectException("x"), 6),
    (StepFailed("user", "x"), 7),
    (NeedsPerson("x"), 7),
    (TokenRefreshException("x"), 7),
    (ConnectionException("x"), 8),
    (SSLException("x"), 8),
    (HttpClientException("x"), 8),
    (StorageError("x"), 9),
    (LockTimeout("x"), 9),
    (IncompleteResponseException("x"), 10),
    (CircuitOpenException("x"), 11),
    (TimeoutException("x"), 28),
    (KeyboardInterrupt(), 130),
    (BrokenPipeError(), 141),
    (ValueError("x"), 1),
]


@pytest.mark.parametrize(("error", "code"), CODES, ids=[type(error).__name__ for error, _ in CODES])
def test_an_error_has_the_code_of_its_nearest_ancestor(error: BaseException, code: int) -> None:
    assert exit_code_of(error) == code


def test_a_new_kind_of_error_has_a_code_at_once() -> None:
    class Dripping(TimeoutException):
        pass

    assert exit_code_of(Dripping("x")) == 28


@pytest.mark.parametrize(
    ("status", "code"),
    [(200, 0), (204, 0), (301, 3), (304, 0), (399, 3), (400, 4), (499, 4), (500, 5), (599, 5)],
    ids=str,
)
def test_a_status_has_the_code_of_its_class(status: int, code: int) -> None:
    assert status_code(status) == code


def test_the_cause_is_inside_the_wrapping() -> None:
    refused = StepFailed("user", "refused")
    assert cause_of(MaxRetryException("x", 1, AuthenticationException("y", refused))) is refused
    assert cause_of(refused) is refused


def test_a_foreign_cause_is_not_for_people() -> None:
    wrapped = AuthenticationException("the hook failed", ValueError("secret"))
    assert cause_of(wrapped) is wrapped


def test_every_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(ExitCode)
    assert all(text == text.rstrip(".") for text in (*MEANINGS.values(), *HINTS.values()))


def test_the_table_holds_errors_of_forge_and_two_others() -> None:
    foreign = [kind for kind in EXIT_CODES if not issubclass(kind, ForgeError)]
    assert foreign == [KeyboardInterrupt, BrokenPipeError]
