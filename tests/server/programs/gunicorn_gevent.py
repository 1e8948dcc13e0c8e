"""A configuration of gunicorn that patches before anything is preloaded.

Its gevent worker patches only after the fork: what Django made thread-local by then stays so,
and all greenlets of a worker would share one wrapper, with the stock engine as with ours.
"""

from gevent import monkey

monkey.patch_all()
