"""Profiles: which API, how to log in there, how to send."""
