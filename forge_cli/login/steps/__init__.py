"""The kinds of login step."""

from ...registry import Registry

STEPS = Registry(
    "step kind",
    {
        "http": "forge_cli.login.steps.http:HttpStep",
        "value": "forge_cli.login.steps.value:ValueStep",
    },
)
