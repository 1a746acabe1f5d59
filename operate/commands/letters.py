"""The verb on dead letters: `replay`."""

from dataclasses import asdict

from operate.blobs import Blobs
from operate.dead_letters.road import Replayed
from operate.interrupts import patiently
from operate.output import Output
from operate.replay import alone
from operate.replay import replay as replay_letters
from operate.verbs import Environ, verb
from operate.waiting import LONG_SECONDS, patient
from shared.app import make_process, open_road
from shared.budget import Budget
from shared.settings import read_settings


@verb("replay")
def replay(environ: Environ, out: Output) -> int:
    """Send the dead letters again by the road of INGESTION_API, and remove what the workspace takes.

    Dead letters are events that the workspace refused, or took only cut, or that were kept unsorted by the page.
    After a change of the road, or of the table, they may fit. What is still refused stays, each event in a blob of
    its own, and is listed with the reason; the exit status is then 1. Where the workspace refuses a whole page for
    one and the same reason, the replay ends with its words and everything stays. One replay works at a time.
    Ctrl+C lets it finish what it is sending; a second one ends it at once.
    """
    settings = read_settings(environ)
    parts, retry = make_process(settings), patient(out)(Budget(LONG_SECONDS))
    done, blobs = Replayed(), Blobs(parts.container, retry)
    with (
        out.progress("Sending dead letters again") as bar,
        out.partly(lambda: _so_far(done)),
        alone(blobs) as ensure,
        patiently(out.aside) as rest,
    ):
        replay_letters(
            blobs,
            open_road(settings, parts, retry),
            settings.log_type,
            lambda count, total: bar.show(count, total, f"{count:,} of {total:,}"),
            done,
            ensure=ensure,
            rest=rest,
        )
    result, lines = _so_far(done)
    out.result(result, *lines)
    return 1 if done.refused else 0


def _so_far(done: Replayed) -> tuple[dict[str, object], list[str]]:
    lines = [f"{done.accepted} taken and removed, {len(done.refused)} still refused."]
    return asdict(done), lines + [f"  {name}: {reason}" for name, reason in done.refused.items()]
