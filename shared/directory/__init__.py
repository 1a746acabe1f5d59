"""The sweep: the organization's accounts and their users into their tables, what changed and who is gone.

::

    directory/<owner>.json                          the head: accounts, the last sweep, the one under way
    directory/<owner>/<account>/<sweep>.ndjson      one journal an account and sweep, page by page

    an account      details (100 a page) . . . members (250 a page) . . . closing
    journal         d d d > d d d >            u u u > u u u >            u u >     > is where the next page starts
    workspace                                  u   u     u                  gone

A page is posted, then appended to the account's journal together with the address of the next one: a run that
ends at any moment is gone on with from the last page. So what a run holds and saves follows the page, and the
account in hand, never the organization. A row that is sent twice does no harm: the parsers take the latest.
"""
