"""`manage.py first_admin`: makes the first superuser where there is none, and says the password once."""

import json
import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from accounts.models import User
from accounts.permissions import Role
from accounts.signals import acted


class Command(BaseCommand):
    help = "Make the first superuser with a random password, printed once as JSON; does nothing where one exists."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="admin")

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.filter(role=Role.SUPERUSER, is_active=True).exists():
            self.stdout.write(json.dumps({"created": False}))
            return
        password = secrets.token_urlsafe(12)
        with transaction.atomic():
            admin = User.objects.create_user(options["username"], password=password, role=Role.SUPERUSER)
            details = {"role": Role.SUPERUSER}
            acted.send(sender=User, actor=None, verb="account.create", target=admin, details=details)
        self.stdout.write(
            json.dumps({"created": True, "username": options["username"], "password": password})
        )
