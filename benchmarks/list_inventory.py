"""Fills one database for `benchmarks.list` and says how to ask for its list. Run by it, as a process of its own:

    python -m benchmarks.list_inventory MACHINES HOSTS TEAMS

Three hosts in ten are unreachable. The last line is JSON: for each person a session cookie, the number
of queries and the compressed size of the list's first page.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
from datetime import datetime, timedelta

import django

django.setup()

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.sessions.backends.cached_db import SessionStore  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import Membership, Team, User  # noqa: E402
from accounts.permissions import Role  # noqa: E402
from domains.models import Domain, DomainDisk, DomainNic, DomainState  # noqa: E402
from hosts.models import Host, HostState  # noqa: E402

BATCH = 500
# As nginx does it where nothing else is said.
GZIP_LEVEL = 1
STATES = (DomainState.RUNNING,) * 6 + (DomainState.OFF,) * 3 + (DomainState.PAUSED,)
TAGS: tuple[list[str], ...] = ([], [], ["prod"], ["prod", "eu-west"], ["staging"])


def main() -> None:
    """Fill the database and print what the benchmark needs."""
    machines, hosts, teams = map(int, sys.argv[1:])
    call_command("migrate", verbosity=0)
    fill(machines, hosts, teams)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    people = User.objects.order_by("pk")
    sys.stdout.write(json.dumps({user.username: door(user) for user in people}) + "\n")


def fill(machines: int, hosts: int, teams: int) -> None:
    """Spread the machines evenly over hosts and teams, with a disk and a card each; always the same ones."""
    dice, now = random.Random(5), timezone.now()
    owners = [
        User.objects.create(username="operator", role=Role.OPERATOR),
        User.objects.create(username="member", role=Role.REQUESTER),
    ]
    all_teams = Team.objects.bulk_create(Team(name=f"team {number:02}") for number in range(teams))
    Membership.objects.create(user=owners[1], team=all_teams[0], role=Role.TEAM_MEMBER)
    all_hosts = Host.objects.bulk_create(host(number, now - timedelta(hours=2)) for number in range(hosts))
    rows = [
        Domain(
            name=f"{dice.choice(('web', 'db', 'ci', 'app', 'mail'))}-{number:05}",
            host=all_hosts[number % hosts],
            team=all_teams[number % teams],
            owner=dice.choice((None, owners[0])),
            tags=dice.choice(TAGS),
            state=dice.choice(STATES),
            has_screen=True,
            vcpus=dice.choice((1, 2, 4)),
            memory_mib=dice.choice((512, 2048, 8192)),
            seen_at=now,
        )
        for number in range(machines)
    ]
    rows = Domain.objects.bulk_create(rows, batch_size=BATCH)
    DomainDisk.objects.bulk_create(
        [DomainDisk(domain=row, target="vda", device="disk", path=f"/pool/{row.uuid}") for row in rows],
        batch_size=BATCH,
    )
    DomainNic.objects.bulk_create(
        [
            DomainNic(domain=row, mac=f"52:54:00:00:{number // 256:02x}:{number % 256:02x}", kind="network")
            for number, row in enumerate(rows)
        ],
        batch_size=BATCH,
    )


def host(number: int, long_ago: datetime) -> Host:
    """Three in ten are unreachable."""
    if number % 10 < 3:
        return Host(name=f"kvm{number:03}", state=HostState.DOWN, seen_at=long_ago, error="No route to host")
    return Host(name=f"kvm{number:03}", state=HostState.UP, seen_at=timezone.now())


def door(user: User) -> dict[str, object]:
    """A session of that person, and what the first page of the list costs besides time."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    client = Client(headers={"x-forwarded-proto": "https"}, SERVER_NAME="localhost")
    client.force_login(user)
    client.get("/machines/")
    with CaptureQueriesContext(connection) as queries:
        page = client.get("/machines/")
    return {
        "session": session.session_key,
        "queries": len(queries),
        "compressed_kb": len(gzip.compress(page.content, GZIP_LEVEL)) / 1000,
        "rows": page.content.decode().count('class="row-link"'),
    }


if __name__ == "__main__":
    main()
