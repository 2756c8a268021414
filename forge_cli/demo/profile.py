"""The profile that logs in to the demo API, and the environment that it reads."""

from __future__ import annotations

ENVIRON = {"DEMO_CLIENT_SECRET": "demo-client-secret", "DEMO_PASSWORD": "demo-password"}
"""The environment variables that the demo profile takes its secrets from."""

PROFILE = """\
version = 1

[profiles.demo]
base_url = "@URL@"

[profiles.demo.secrets]
client_secret = { env = "DEMO_CLIENT_SECRET" }
password = { env = "DEMO_PASSWORD" }

[profiles.demo.auth]
type = "pipeline"

[profiles.demo.auth.steps.device]
request = { method = "POST", url = "/v1/devices/token", json = { id = "demo-device" } }
extract = { token = "/device_token" }
expires = { in = "/expires_in" }

[profiles.demo.auth.steps.app.request]
method = "POST"
url = "/v1/apps/token"
headers = { X-Device-Token = "${steps.device.token}" }
json = { secret = "${secrets.client_secret}" }

[profiles.demo.auth.steps.app]
extract = { token = "/app_token" }
expires = { at = "/expires_at", unit = "ms" }

[profiles.demo.auth.steps.user.request]
method = "POST"
url = "/v1/users/login"
headers = { X-App-Token = "${steps.app.token}" }
form = { user = "ada", password = "${secrets.password}" }

[profiles.demo.auth.steps.user]
extract = { token = "/user_token", refresh_token = "/refresh_token" }
expires = { in = "/expires_in" }

[profiles.demo.auth.steps.user.refresh.request]
method = "POST"
url = "/v1/users/refresh"
json = { refresh_token = "${self.refresh_token}" }

[[profiles.demo.auth.inject]]
in = "header"
name = "Authorization"
value = "Bearer ${steps.user.token}"

[[profiles.demo.auth.invalidate]]
when = { status = 401, body = { "/error/code" = "APP_TOKEN_EXPIRED" } }
steps = ["app"]

[[profiles.demo.auth.invalidate]]
when = { status = 401, body = { "/error/code" = "DEVICE_REVOKED" } }
steps = ["device"]
"""
"""A profile named `demo`; `@URL@` stands for the address of the API."""
