"""The operator's command line, for a machine of the operator's: it is not in the deployed zip.

::

    cli, commands                              click: verbs, options, exit status
    verbs, output, failures, waiting           what all verbs have: which app, JSON, a fault in one sentence, patience
    streams, interrupts                        where nobody reads; Ctrl+C where something is in hand
    doctor, status, rewind, replay, export     what a verb does; nothing here prints
    dead_letters                               a page that is sent again
    export_state, seen, file_lock              how far an export is, what its file has, that nobody else writes it
    blobs, management, target                  state in storage, an app's settings, which app is meant
"""
