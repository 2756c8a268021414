"""The wire: the one package that knows the HTTP library. Importing it loads nothing of that library."""
