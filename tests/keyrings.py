"""A keyring for the tests: nobody's real one is touched."""

from __future__ import annotations

from collections.abc import Callable

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError, PasswordSetError

# Bytes of UTF-16 that the Windows vault takes.
_LARGEST = 2560


class MemoryKeyring(KeyringBackend):
    """Keeps entries in `entries`, none larger than the strictest real keyring allows; `before` sees each question."""

    priority = 0.1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library has no types here
        self.entries: dict[tuple[str, str], str] = {}
        self.before: Callable[[str, str], object] = lambda question, name: None

    def get_password(self, service: str, username: str) -> str | None:
        self.before("get", username)
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.before("set", username)
        if len(password.encode("utf-16")) > _LARGEST:
            raise PasswordSetError("too large")
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self.before("delete", username)
        if self.entries.pop((service, username), None) is None:
            raise PasswordDeleteError("not there")
