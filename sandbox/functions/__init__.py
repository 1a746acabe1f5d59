"""Azure Functions on one machine: Microsoft's Python runtime in a worker, and a host that fires it.

The worker imports this package before it has set its path, so nothing is imported here.
"""
