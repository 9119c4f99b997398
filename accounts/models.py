"""People, teams, and the tokens by which programs sign in."""

from __future__ import annotations

import hashlib
import secrets
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone
from django.utils.functional import cached_property

from accounts.permissions import ALLOWED, GLOBAL_ROLES, TEAM_ROLES, Role, Verb


class User(AbstractUser):
    """A person. `role` is what they may do everywhere; memberships add what they may do for a team."""

    role = models.CharField(
        max_length=16, choices=[(r.value, r.value) for r in GLOBAL_ROLES], default=Role.REQUESTER
    )
    theme = models.CharField(
        max_length=8, choices=[("auto", "auto"), ("light", "light"), ("dark", "dark")], default="auto"
    )

    @cached_property
    def _team_roles(self) -> list[tuple[int, str]]:
        return list(self.memberships.values_list("team_id", "role"))

    def team_ids(self, roles: frozenset[Role]) -> list[int]:
        """The teams in which this person has one of `roles`; asked of the database once per request."""
        return [team for team, role in self._team_roles if role in roles]

    def can(self, verb: Verb) -> bool:
        """Whether the global role alone allows `verb`; for menus, never for a decision about a row."""
        return verb in ALLOWED[Role(self.role)]


class Team(models.Model):
    """People who own machines together."""

    name = models.CharField(max_length=80, unique=True)
    members = models.ManyToManyField(User, through="Membership", related_name="teams")

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One person's role in one team."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=[(r.value, r.value) for r in TEAM_ROLES])

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "team"], name="one_membership_per_team")
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}: {self.role}"


class ApiToken(models.Model):
    """A bearer token (RFC 6750). Only its SHA-256 is kept: the token has 256 random bits, so no salt is needed."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"

    @staticmethod
    def hash(token: str) -> str:
        """What is stored of a token."""
        return hashlib.sha256(token.encode()).hexdigest()

    @staticmethod
    def fresh() -> str:
        """A new token: a prefix that secret scanners can know, and 32 random bytes."""
        return "kvmp_" + secrets.token_urlsafe(32)

    @property
    def expired(self) -> bool:
        """Whether its end lies in the past."""
        return self.expires_at is not None and self.expires_at <= timezone.now()
