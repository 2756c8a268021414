"""How long `forge profile validate` takes on a file of many profiles. Run by hand.

    python tests/benchmarks/validate.py [profiles] [rounds]

Each profile has a login of two steps, with secrets, a refresh and references. The figures are medians of whole
runs of the program, its start included. The aim is 0.5 seconds for 500 profiles.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

AIM = 0.5
_PROFILE = """
[profiles.p{number}]
base_url = "https://api{number}.example.com/v1"
headers = {{ Accept = "application/json" }}
secrets = {{ client_secret = {{ env = "SECRET_{number}" }}, password = {{ env = "PASSWORD_{number}" }} }}
vars = {{ tenant = "tenant-{number}" }}

[profiles.p{number}.auth]
type = "pipeline"

[profiles.p{number}.auth.steps.app]
request = {{ method = "POST", url = "/apps/token", json = {{ secret = "${{secrets.client_secret}}" }} }}
extract = {{ token = "/app_token" }}
expires = {{ at = "/expires_at", unit = "ms" }}
scope = "${{vars.tenant}}"

[profiles.p{number}.auth.steps.user]
extract = {{ token = "/user_token", refresh_token = "/refresh_token" }}
expires = {{ in = "/expires_in", default = "15m" }}

[profiles.p{number}.auth.steps.user.request]
method = "POST"
url = "/users/login"
headers = {{ X-App-Token = "${{steps.app.token}}" }}
form = {{ user = "ada", password = "${{secrets.password}}" }}

[profiles.p{number}.auth.steps.user.refresh.request]
method = "POST"
url = "/users/refresh"
json = {{ refresh_token = "${{self.refresh_token}}" }}
"""


def generated(profiles: int) -> str:
    """A file of so many profiles."""
    return "".join(_PROFILE.format(number=number) for number in range(profiles))


def seconds(path: Path) -> float:
    """One run of the program."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "forge_cli", "profile", "validate", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main(profiles: int = 500, rounds: int = 9) -> None:
    """Print the median."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "profiles.toml"
        path.write_text(generated(profiles), encoding="utf-8")
        runs = [seconds(path) for _ in range(rounds)]
        size = path.stat().st_size
    median = statistics.median(runs)
    print(f"{profiles} profiles, {size:,} bytes: {median:.3f} s (from {min(runs):.3f} to {max(runs):.3f}; aim {AIM})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
