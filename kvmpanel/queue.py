"""Celery's settings, apart from Django's so that beat can run without loading the site."""

from kvmpanel.env import env

broker_url = env.redis.replace("unix://", "redis+socket://")
broker_connection_retry_on_startup = True
# Redelivers an unacknowledged message after this many seconds; running twice is harmless, waiting an hour is not.
# A request that finds the queue dead must not wait for it: the row is safe, and the sweeper sends it later.
broker_transport_options = {
    "visibility_timeout": 300,
    "socket_timeout": 30,
    "socket_keepalive": True,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
}
result_backend = None
task_ignore_result = True
task_serializer = "json"
accept_content = ["json"]
task_default_queue = "panel"
task_acks_late = True
task_reject_on_worker_lost = True
task_time_limit = 3600
worker_prefetch_multiplier = 1
worker_hijack_root_logger = False
worker_send_task_events = False
worker_max_tasks_per_child = 1000
worker_cancel_long_running_tasks_on_connection_loss = False
timezone = "UTC"
# Odd periods, so that they are hardly ever due together: two at once would fork a second worker child each time.
beat_schedule = {
    "operations-sweep": {"task": "operations.sweep", "schedule": 10.0, "options": {"expires": 10}},
    "hosts-recheck": {"task": "hosts.recheck", "schedule": 21.3, "options": {"expires": 20}},
    "hosts-tidy": {"task": "hosts.tidy", "schedule": 63.7, "options": {"expires": 60}},
    "domains-take-snapshots": {
        "task": "domains.take_snapshots",
        "schedule": 57.1,
        "options": {"expires": 50},
    },
    "domains-empty-trash": {"task": "domains.empty_trash", "schedule": 1783.0, "options": {"expires": 600}},
    "storage-sweep-exports": {
        "task": "storage.sweep_exports",
        "schedule": 600.0,
        "options": {"expires": 300},
    },
    "storage-sweep-uploads": {
        "task": "storage.sweep_uploads",
        "schedule": 3600.0,
        "options": {"expires": 600},
    },
}
