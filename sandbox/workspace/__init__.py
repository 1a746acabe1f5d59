"""The sandbox's Log Analytics workspace: a DuckDB file with the service's ingestion and query ends.

::

    post -> data_collector -> columns -> store (DuckDB) <- kql <- query_api <- query
"""
