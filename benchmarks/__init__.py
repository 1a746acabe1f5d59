"""What the connector costs, measured; see docs/performance.md. `scripts/bench` runs it.

::

    __main__            the command line, the progress, the order
    report, picture     results to a table in docs/performance.md, and to docs/performance.svg
    overlap, cost, cold, size    one question each, answered with `Result`s
    sides               the two that are held against each other
    lean                the leanest loop, in a process of its own, that the connector is held against
    replay              the sandbox with light-weight ends that replay pages made beforehand
    results             what a measurement gives
"""
