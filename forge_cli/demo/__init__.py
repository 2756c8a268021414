"""The embedded API that `forge demo` and the tests log in to."""
