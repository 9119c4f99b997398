"""What people type about people."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm

from accounts.models import User
from accounts.permissions import GLOBAL_ROLES, TEAM_ROLES, Role

ROLE_WORDS = {
    Role.SUPERUSER: "Superuser – everything, people included",
    Role.OPERATOR: "Operator – all hosts and machines",
    Role.AUDITOR: "Auditor – sees everything, changes nothing",
    Role.REQUESTER: "Requester – own machines and those of their teams",
    Role.TEAM_LEAD: "Lead – may change and delete the team's machines",
    Role.TEAM_MEMBER: "Member – may use the team's machines",
}
LIFETIMES = [("30", "30 days"), ("90", "90 days"), ("365", "One year"), ("0", "No end")]


def _choices(roles: tuple[Role, ...]) -> list[tuple[str, str]]:
    return [(role.value, ROLE_WORDS[role]) for role in roles]


class SignInForm(AuthenticationForm):
    """One message for every reason, so that nobody learns which names exist."""

    error_messages = {
        "invalid_login": "The user name or the password is wrong.",
        "inactive": "The user name or the password is wrong.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "User name"


class PersonForm(forms.Form):
    """Somebody new."""

    username = forms.CharField(label="User name", max_length=150, help_text="Letters, digits and @ . + - _")
    role = forms.ChoiceField(choices=_choices(GLOBAL_ROLES), initial=Role.REQUESTER)
    password = forms.CharField(
        label="First password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 10 characters. They can change it on their account page.",
    )


class RoleForm(forms.Form):
    """What may be changed of somebody."""

    role = forms.ChoiceField(choices=_choices(GLOBAL_ROLES))
    active = forms.BooleanField(label="May sign in", required=False)


class PasswordForm(forms.Form):
    """A password given by a superuser."""

    password = forms.CharField(
        label="New password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 10 characters. Everywhere they are signed in, they are signed out.",
    )


class OwnPasswordForm(forms.Form):
    """The old one proves that it is really the person who sits there."""

    old_password = forms.CharField(
        label="Current password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    password = forms.CharField(
        label="New password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 10 characters. Your other logins end.",
    )

    def __init__(self, *args: object, user: User, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.user = user

    def clean_old_password(self) -> str:
        """Refuse where it is not the current one."""
        old = str(self.cleaned_data["old_password"])
        if not self.user.check_password(old):
            raise forms.ValidationError("This is not your current password.")
        return old


class TokenForm(forms.Form):
    """A token for a program."""

    name = forms.CharField(label="What it is for", max_length=80)
    days = forms.ChoiceField(label="Ends after", choices=LIFETIMES, initial="90")


class TeamForm(forms.Form):
    """A new team."""

    name = forms.CharField(label="Name", max_length=80)


class MemberForm(forms.Form):
    """Somebody's place in a team."""

    person = forms.ModelChoiceField(
        User.objects.filter(is_active=True).order_by("username"), empty_label=None
    )
    role = forms.ChoiceField(choices=_choices(TEAM_ROLES), initial=Role.TEAM_MEMBER)
