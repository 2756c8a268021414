"""The environment variables that forge reads, and what each is for."""

from __future__ import annotations

from collections.abc import Mapping

VARIABLES: Mapping[str, str] = {
    "FORGE_PROFILE": "the profile to use; --profile wins",
    "FORGE_CONFIG": "the profile file to use; --config wins",
    "FORGE_CONFIG_DIR": "where settings and tokens are, instead of the user's own place",
    "FORGE_NO_INPUT": "never ask, as --no-input",
    "FORGE_TOKEN_STORAGE": "where tokens are kept, whatever the profile says",
    "FORGE_RETRY": "how often a failed request is repeated; --retry wins",
    "FORGE_TRUST": "the SHA-256 of a project's profile file that is allowed, for one run",
    "FORGE_ERRORS": "json: the error line is an object",
    "FORGE_VAR_NAME": "an answer to what `profile add` asks; --var NAME=VALUE wins",
    "FORGE_TOKEN": "set by `token exec` and `token show --env`; FORGE_TOKEN_STEP for each step",
    "CI": "never ask, unless it is empty, 0 or false",
    "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY": "proxies, in upper or lower case",
    "REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR": "certificate authorities; the first counts",
    "NETRC": "the .netrc file, for a profile that has `netrc = true`",
    "NO_COLOR, FORCE_COLOR, TERM": "whether there is colour",
    "BROWSER": "what opens the page of a login",
    "XDG_CONFIG_HOME": "where the user's settings are; ~/.config without it",
}
"""Names, of which several may be for one thing -> what they are for."""
