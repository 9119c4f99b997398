"""`manage.py add_host ADDRESS --host-key KEY`: a host over SSH, without a person before a browser."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from accounts.permissions import Role
from core.errors import PanelError
from hosts.actions import manage, trust
from hosts.actions.details import HostDetails
from hosts.keys import HostKey
from hosts.models import Credentials, Host, Transport


class Command(BaseCommand):
    help = (
        "Add a host that is reached over SSH, or say where the one of that name is now, and print the public key "
        "that its user must accept."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address", help="its name or IP address")
        parser.add_argument("--name", default="", help="what to call it (its address)")
        parser.add_argument("--port", type=int, help="of its SSH server (22)")
        parser.add_argument("--username", default="", help="whom to sign in as")
        parser.add_argument("--label", action="append", default=[], help="may be given several times")
        parser.add_argument(
            "--host-key", required=True, help='"TYPE BASE64", as in /etc/ssh/ssh_host_ed25519_key.pub'
        )
        parser.add_argument(
            "--as", dest="actor", default="", help="the panel's user who does this (an admin)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError."""
        details = HostDetails(
            transport=Transport.SSH,
            address=options["address"],
            port=options["port"],
            username=options["username"],
            name=options["name"],
            labels=options["label"],
        )
        try:
            key = HostKey.parse(options["host_key"])
        except ValueError as error:
            raise CommandError('The host key is not "TYPE BASE64".') from error
        actor = _actor(options["actor"])
        try:
            host = _add_or_change(actor, details)
            _trust(actor, host, key)
        except PanelError as error:
            raise CommandError(f"{error.message} {error.fix}") from error
        self.stdout.write(Credentials.objects.unopened().get(host=host).ssh_public_key)


def _actor(username: str) -> User:
    people = User.objects.filter(is_active=True)
    people = people.filter(username=username) if username else people.filter(role=Role.SUPERUSER)
    actor = people.order_by("pk").first()
    if actor is None:
        raise CommandError(f"There is no active user {username!r}." if username else "There is no admin.")
    return actor


def _add_or_change(actor: User, details: HostDetails) -> Host:
    known = Host.objects.present().filter(name=details.name).first() if details.name else None
    if known is not None:
        manage.change(host=known, actor=actor, details=details)
    return known or manage.add(actor=actor, details=details)


def _trust(actor: User, host: Host, key: HostKey) -> None:
    """The person has the key from the host itself; what the network would show need not be compared."""
    known = Credentials.objects.unopened().get(host=host)
    if known.host_key != str(key):
        Credentials.objects.filter(host=host).update(offered_host_key=str(key))
        trust.confirm_host_key(host=host, actor=actor, fingerprint=key.fingerprint)
    host.refresh_from_db()
