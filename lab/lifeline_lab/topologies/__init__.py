"""Several servers behind one name, and what it costs when the writable one changes."""
