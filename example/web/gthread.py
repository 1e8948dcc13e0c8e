"""Four threads in each of two processes."""

worker_class = "gthread"
workers = 2
threads = 4
