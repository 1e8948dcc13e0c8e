"""One request at a time in each of three processes."""

worker_class = "sync"
workers = 3
