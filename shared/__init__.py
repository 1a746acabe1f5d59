"""The connector: DocuSign Monitor events to a Log Analytics table.

Each layer imports only from those below it::

    app                                   settings to a finished run: the only place that wires parts
    run, health                           the run loop and what it reports
    docusign/, ingestion/                 the two sides; neither knows the other
    checkpoint, dead_letters, vault       state and secrets in Azure
    azure_calls, web                      one attempt at a call, and what its failure means
    answers, retry, budget, shutdown      policies: what to do about an answer, and for how long
    settings, clouds, timestamps, lenient_json, errors
"""

__version__ = "1.0.0"
