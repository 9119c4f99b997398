"""`manage.py api_token USER NAME`: a bearer token for a program, printed once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actions import create_token
from accounts.models import User
from core.errors import PanelError


class Command(BaseCommand):
    help = "Make an API token for a person and print it; it is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("name", help="what the token is for")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['username']!r}.")
        try:
            _, text = create_token(actor=user, name=options["name"], days=None)
        except PanelError as error:
            raise CommandError(f"{error.message} {error.fix}") from error
        self.stdout.write(text)
