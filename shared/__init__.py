"""The connector: DocuSign Monitor events to a Log Analytics table.

Each layer imports only from those below it::

    directory_app                         settings to a finished sweep of users and accounts
    app                                   settings to a finished run: the place that wires parts
    run, health, directory/               the run loop and what it reports; the sweep
    docusign/, ingestion/                 the two sides; neither knows the other
    checkpoint, dead_letters, vault       state and secrets in Azure
    azure_calls, web, network, deadline   one attempt at a call, its bounds, and what its failure means
    answers, retry, renewal, budget, shutdown    policies: what to do about an answer, and for how long
    settings, owner, clouds, timestamps, lenient_json, heap, errors
"""

__version__ = "1.0.0"
