"""The Microsoft Sentinel content: read from its YAML, checked, run on the sandbox's workspace, documented.

::

    load -> schema_check, kusto_check, docs        (the files as they are)
    load -> harness -> schedule -> incidents       (the files at work on a workspace)
"""
