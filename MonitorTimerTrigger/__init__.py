"""The timer that carries DocuSign Monitor events into the workspace; all it does is in `shared.app`."""

import azure.functions as func

from shared import app

app.set_up_process()


def main(timer: func.TimerRequest) -> None:
    """One run. A failed one raises, so that Azure shows it red."""
    _ = timer
    app.run_monitor()
