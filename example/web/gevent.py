"""Greenlets in two processes. gRPC waits in C and must be told about gevent."""

worker_class = "gevent"
workers = 2
worker_connections = 200


def post_fork(server, worker):
    from grpc.experimental import gevent

    gevent.init_gevent()
