"""The queue as beat needs it: the schedule without the site. Loading Django here would cost 40 MB for a clock."""

from celery import Celery

from core.memory import give_back_when_settled

app = Celery("kvmpanel", fixups=[])
app.config_from_object("kvmpanel.queue")
give_back_when_settled()
