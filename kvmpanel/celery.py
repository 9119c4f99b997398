"""The queue: JSON only, ids only, at-least-once; the operation row is the job (see `operations.engine`)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kvmpanel.settings")

app = Celery("kvmpanel")
app.config_from_object("kvmpanel.queue")
app.autodiscover_tasks()
