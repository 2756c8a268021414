"""What is shown: text made safe and coloured, JSON laid out, message heads, and the table of formats."""

from ...registry import Registry

_HERE = "forge_cli.cli.output"

FORMATS = Registry(
    "output format",
    {
        "auto": f"{_HERE}.auto:auto",
        "json": f"{_HERE}.auto:json",
        "yaml": f"{_HERE}.yaml:yaml",
        "table": f"{_HERE}.records:records",
        "ndjson": f"{_HERE}.ndjson:ndjson",
        "exchange": f"{_HERE}.exchange:exchange",
    },
)
"""`--format` -> a function that takes a `Content` and a `Look` and yields text."""

LISTINGS = Registry("listing", {"table": f"{_HERE}.table:table", "json": f"{_HERE}.json:pretty"})
"""How forge's own lists are written; rows, because what draws a table or lays JSON out is loaded only for those."""

PRETTY = ("auto", "all", "colors", "format", "none")

SELECTORS = Registry("option", {"--select": f"{_HERE}.select:compiled"}, extras={"--select": "jmespath"})
