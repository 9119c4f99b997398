"""The ASGI site (ASGI 3.0): uploads are streamed past Django, the live socket goes to Channels, the rest to Django."""

import gc
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kvmpanel.settings")

from django.core.wsgi import get_wsgi_application  # noqa: E402

django_site = get_wsgi_application()

from core.memory import give_back_when_settled  # noqa: E402
from kvmpanel.routing import build  # noqa: E402  (models may be imported only after the site is set up)
from kvmpanel.threads import OnThreads  # noqa: E402

application = build(OnThreads(django_site))

# What is loaded by now stays for ever. Without this the collector walks all of it again and again: 50 ms of standstill
# each time, in the middle of somebody's page.
gc.collect()
gc.freeze()
give_back_when_settled()
