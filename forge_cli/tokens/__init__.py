"""Obtaining, keeping and renewing tokens."""
