"""From the facts of a group to ranked causes: pure functions, each of one kind of evidence."""
