"""The timer that carries DocuSign's users and accounts into the workspace; see `shared.directory_app`."""

import azure.functions as func

from shared import app, directory_app

app.set_up_process()


def main(timer: func.TimerRequest) -> None:
    """One sweep, or the part of one that DocuSign's limits leave room for. A failed one raises."""
    _ = timer
    directory_app.run_directory()
