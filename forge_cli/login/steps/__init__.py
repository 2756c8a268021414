"""The kinds of login step."""

from ...registry import Registry

STEPS = Registry(
    "step kind",
    {
        "browser": "forge_cli.login.steps.browser:BrowserStep",
        "device": "forge_cli.login.steps.device:DeviceStep",
        "http": "forge_cli.login.steps.http:HttpStep",
        "value": "forge_cli.login.steps.value:ValueStep",
        "jwt": "forge_cli.login.steps.jwt:JwtStep",
        "command": "forge_cli.login.steps.command:CommandStep",
        "prompt": "forge_cli.login.steps.prompt:PromptStep",
    },
    custom=("run", "renew"),
)
