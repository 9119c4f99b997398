"""Runs operations: `python -m kvmpanel.worker`. As `celery worker`, without the 12 MB of Celery's command line."""

import sys

from celery.utils.nodenames import default_nodename, host_format

from kvmpanel.celery import app

# One child waits; more are forked as soon as more is asked, for each holds 45 MiB of its own.
MOST_CHILDREN, FEWEST_CHILDREN = 8, 1
# So many tasks keep the database's connections. Else Celery closes them, and their pool, before and after each; our own
# children put them back instead (`kvmpanel.celery.put_connections_back`).
app.conf.update(CELERY_DB_REUSE_MAX=1_000_000_000)


def main() -> int:
    """Until the process is ended; its exit status."""
    worker = app.Worker(
        hostname=host_format(default_nodename("panel@%h")),
        pool_cls="prefork",
        optimization="fair",
        autoscale=f"{MOST_CHILDREN},{FEWEST_CHILDREN}",
        # What only a crowd of workers needs.
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel="WARNING",
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
