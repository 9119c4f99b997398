"""Sends what is due to the queue: `python -m kvmpanel.schedule FILE`, which keeps in FILE what was sent when.

Neither the site nor Celery's command line is loaded: together they cost 50 MB, for a clock.
"""

import sys

from celery import Celery
from celery.apps.beat import Beat

from core.memory import give_back_when_settled

app = Celery("kvmpanel", fixups=[])
app.config_from_object("kvmpanel.queue")


def main() -> None:
    """Until the process is ended."""
    give_back_when_settled()
    Beat(app=app, schedule=sys.argv[1], loglevel="WARNING", quiet=True).run()


if __name__ == "__main__":
    main()
