"""The fault sweep: every packet of every workload is cut, delayed, answered wrongly or garbled."""
