"""Many requests by one login: `send` is a plain function from requests to results."""

from __future__ import annotations

from .lines import Line, read_csv, read_jsonl, requests_of
from .results import Result, written
from .run import JOBS, Batch, send

__all__ = ["JOBS", "Batch", "Line", "Result", "read_csv", "read_jsonl", "requests_of", "send", "written"]
