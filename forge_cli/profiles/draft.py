"""New profiles as text, with comments for the person who goes on with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from . import toml


class Shape(NamedTuple):
    """A way to log in that `init` can write. `@NAME@`, `@PREFIX@` and `@TOKEN_URL@` are filled in."""

    summary: str
    text: str
    variables: tuple[str, ...] = ()
    unfinished: bool = False


_HEAD = """\
[profiles.@NAME@]
base_url = @BASE_URL@
# headers = { Accept = "application/json" }  # sent with every request
# timeout = 30                               # seconds for everything: login, retries, body

"""
_BEARER = """\
# Where the token is, never the token itself. Other places:
# { file = "~/.keys/token" }, { prompt = "Token" }
[profiles.@NAME@.secrets]
token = { env = "@PREFIX@_TOKEN" }

[profiles.@NAME@.auth]
type = "bearer"
token = "${secrets.token}"
"""
_API_KEY = """\
# Where the key is, never the key itself. Other places:
# { file = "~/.keys/key" }, { prompt = "Key" }
[profiles.@NAME@.secrets]
key = { env = "@PREFIX@_KEY" }

[profiles.@NAME@.auth]
type = "api-key"
in = "header"       # or query, cookie
name = "X-API-Key"  # as the API's documentation calls it
key = "${secrets.key}"
"""
_BASIC = """\
# Where the password is, never the password itself. Other places:
# { file = "~/.keys/password" }, { prompt = "Password" }
[profiles.@NAME@.secrets]
password = { env = "@PREFIX@_PASSWORD" }

[profiles.@NAME@.auth]
type = "basic"
username = "${env.@PREFIX@_USERNAME}"  # or the name itself
password = "${secrets.password}"
"""
_OAUTH2 = """\
# Where the secret is, never the secret itself. Other places:
# { file = "~/.keys/client.json", pointer = "/client_secret" }, { prompt = "Client secret" }
[profiles.@NAME@.secrets]
client_secret = { env = "@PREFIX@_CLIENT_SECRET" }

[profiles.@NAME@.auth]
type = "oauth2"
grant = "client-credentials"
token_url = @TOKEN_URL@  # a path below base_url, or absolute
client_id = "${env.@PREFIX@_CLIENT_ID}"  # or the id itself
client_secret = "${secrets.client_secret}"
# client_auth = "post"                   # when the server refuses Basic authentication
# scope = "read write"
# audience = "https://api.example.com"
"""
_PIPELINE = """\
# Where the secrets are, never the secrets themselves. Other places:
# { file = "~/.keys/client.json", pointer = "/secret" }, { prompt = "Password" }
[profiles.@NAME@.secrets]
client_secret = { env = "@PREFIX@_CLIENT_SECRET" }
password = { env = "@PREFIX@_PASSWORD" }

# Three steps, each with a token of its own. Every line that says FILL IN is to become as the API's
# documentation says it. Steps may be renamed, removed and added: the references ${steps.…} between
# them give their order. For a login of two steps, delete the two tables of `middle`, and in `last`
# write ${steps.first.token} for ${steps.middle.token}.
[profiles.@NAME@.auth]
type = "pipeline"

# The first step: it needs no token.
[profiles.@NAME@.auth.steps.first.request]
method = "POST"
url = "/first/token"                                      # FILL IN: the path
json = { id = "my-id", secret = "${secrets.client_secret}" }  # FILL IN: the body; `form = { … }` for a form

[profiles.@NAME@.auth.steps.first]
extract = { token = "/token" }         # FILL IN: where the token is in the JSON answer
# extract = { token = { header = "X-Token" } }  # or in a header of the answer
expires = { ttl = "30d" }              # FILL IN: how long it is good, when the answer does not say

# The step between: it sends the first one's token.
[profiles.@NAME@.auth.steps.middle.request]
method = "POST"
url = "/middle/token"                                     # FILL IN: the path
headers = { X-First-Token = "${steps.first.token}" }      # FILL IN: the header that carries the first token

[profiles.@NAME@.auth.steps.middle]
extract = { token = "/token" }         # FILL IN: where the token is
expires = { in = "/expires_in" }       # FILL IN: where the answer says how many seconds it is good

# The last step gives the token that requests carry.
[profiles.@NAME@.auth.steps.last.request]
method = "POST"
url = "/last/token"                                       # FILL IN: the path
headers = { X-Step-Token = "${steps.middle.token}" }      # FILL IN: the header that carries the token before
form = { user = "${env.@PREFIX@_USERNAME}", password = "${secrets.password}" }  # FILL IN: the fields

[profiles.@NAME@.auth.steps.last]
extract = { token = "/token" }         # FILL IN: where the token is
expires = { in = "/expires_in" }       # FILL IN: for a moment `{ at = "/expires_at", unit = "iso" }`, or "ms"

# FILL IN: where the last token goes. `in = "query"` puts it into the URL; more of these tables, more places.
[[profiles.@NAME@.auth.inject]]
in = "header"
name = "Authorization"
value = "Bearer ${steps.last.token}"
"""
SHAPES: Mapping[str, Shape] = {
    "none": Shape("no login", '[profiles.@NAME@.auth]\ntype = "none"\n'),
    "bearer": Shape("a token that you have already", _BEARER, ("TOKEN",)),
    "api-key": Shape("an API key in a header", _API_KEY, ("KEY",)),
    "basic": Shape("user name and password", _BASIC, ("USERNAME", "PASSWORD")),
    "oauth2": Shape("an OAuth client, by its id and secret", _OAUTH2, ("CLIENT_ID", "CLIENT_SECRET")),
    "pipeline": Shape("several steps", _PIPELINE, ("CLIENT_SECRET", "USERNAME", "PASSWORD"), unfinished=True),
}
"""Type of auth -> what is written for it."""


def drafted(shape: Shape, name: str, base_url: str, token_url: str) -> str:
    """A new profile as text."""
    words = {"NAME": toml.key(name), "PREFIX": prefix(name)}
    words |= {"BASE_URL": toml.text(base_url), "TOKEN_URL": toml.text(token_url)}
    return re.sub("@([A-Z_]+)@", lambda match: words[match[1]], _HEAD + shape.text)


def prefix(name: str) -> str:
    """What the names of a profile's environment variables begin with."""
    word = re.sub(r"[^A-Z0-9]", "_", name.upper())
    return f"_{word}" if word[0].isdigit() else word
