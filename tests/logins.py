"""Profiles made from text, for the tests of logins."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from forge_cli.profiles.build import Profile
from forge_cli.profiles.load import load_document, profile, select
from tests.server import Reply, Seen

THREE = """
[profiles.demo.auth]
type = "pipeline"

[profiles.demo.auth.steps.device]
request = { method = "POST", url = "/device" }
extract = { token = "/token" }
expires = "never"

[profiles.demo.auth.steps.app]
request = { method = "POST", url = "/app", headers = { X-Device = "${steps.device.token}" } }
extract = { token = "/token" }
expires = { in = "/expires_in" }

[profiles.demo.auth.steps.user]
request = { method = "POST", url = "/user", headers = { X-App = "${steps.app.token}" } }
extract = { token = "/token", refresh_token = { pointer = "/refresh_token", optional = true } }
expires = { in = "/expires_in" }
refresh = { request = { method = "POST", url = "/refresh", form = { rt = "${self.refresh_token}" } } }
"""
"""A login through three steps, at an API that answers with `token`, `expires_in` and `refresh_token`."""


def made(
    text: str,
    url: str,
    *,
    environ: Mapping[str, str] | None = None,
    vars: Mapping[str, str] | None = None,
    **options: Any,
) -> Profile:
    """The profile `demo` of this text, `base_url` and all, as a new process in this home would make it."""
    home = Path.home()
    path = home / "profiles.toml"
    path.write_text(f'[profiles.demo]\nbase_url = "{url}"\n{text}', encoding="utf-8")
    document = load_document(path)
    settings = profile(document, select(document, None, {}), overrides_vars=vars or {})
    return Profile(settings, environ={"HOME": str(home), **(environ or {})}, **options)


def numbered(name: str, **fields: Any) -> Callable[[Seen], Reply]:
    """Answers with ``NAME-token-1``, ``NAME-token-2`` and so on, and these fields; ``#`` in one is the number."""
    numbers = itertools.count(1)

    def answer(seen: Seen) -> Reply:
        number = str(next(numbers))
        told = {key: value.replace("#", number) if isinstance(value, str) else value for key, value in fields.items()}
        return Reply(body={"token": f"{name}-token-{number}", **told})

    return answer
