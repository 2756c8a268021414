"""What is shown: text made safe and coloured, JSON laid out, message heads, and the table of formats."""

from ...registry import Registry

FORMATS = Registry("output format", {"table": "forge_cli.cli.output.table:table"})
