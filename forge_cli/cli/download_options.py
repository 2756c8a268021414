"""The options of downloads and of answers that come in pages."""

from __future__ import annotations

import click

from .options import Count
from .run import section

_PAGES_HELP = "Ask for all pages, as `pagination` of the profile says, else by the Link header."

download_options = section(
    "Output",
    click.option("--download", is_flag=True, help="Save the body under the server's name for it; never overwrite."),
    click.option("--continue", "resume", is_flag=True, help="Resume FILE.part, else FILE, of -o or --download."),
)
"""Whether a body becomes a file of its own; `DownloadOptions` holds the values."""

page_options = section(
    "Pages",
    click.option("--paginate", is_flag=True, help=_PAGES_HELP),
    click.option("--max-pages", type=Count(1), metavar="N", help="With --paginate: no more pages (default: all)."),
    click.option("--max-items", type=Count(1), metavar="N", help="With --paginate: no more items (default: all)."),
)
"""Whether further pages are asked for; `PageOptions` holds the values."""
