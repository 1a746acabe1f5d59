"""The operator's command line, for a machine of the operator's: it is not in the deployed zip.

::

    cli                                        click: verbs, options, exit status
    doctor, status, rewind, replay, export     what a verb does; nothing here prints
    blobs, management, target                  state in storage, an app's settings, which app is meant
"""
