"""Finding things by a few typed letters, for the search page and the command palette."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import reduce
from operator import and_

from django.db.models import Q
from django.urls import reverse

from accounts.models import User
from accounts.permissions import Verb
from domains.models import Domain, DomainQuerySet, DomainState
from hosts.models import Host

MAX_WORDS = 5

# What the palette can do to a machine: the word typed, the words shown, the state it makes sense in, and the power verb
# that is posted, or blank for the console.
COMMANDS = (
    ("start", "Start", DomainState.OFF, "start"),
    ("stop", "Shut down", DomainState.RUNNING, "shutdown"),
    ("shut", "Shut down", DomainState.RUNNING, "shutdown"),
    ("console", "Console of", DomainState.RUNNING, ""),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One thing found. `post` is the address to post to for a command, else empty."""

    title: str
    hint: str
    url: str = ""
    post: str = ""

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def find(user: User, text: str, *, most: int) -> list[Match]:
    """Commands first ("start web"), then machines, then hosts, as `user` may see them; at most `most` of each."""
    words = text.split()[:MAX_WORDS]
    if not words:
        return []
    return [
        *_commands(user, words, most=most),
        *(_machine(domain) for domain in _machines(user, words)[:most]),
        *_hosts(user, words, most=most),
    ]


def _machines(user: User, words: list[str], verb: Verb = Verb.DOMAIN_VIEW) -> DomainQuerySet:
    domains: DomainQuerySet = Domain.objects.permitted(user, verb).present().select_related("host")
    return domains.filter(_named(words))


def _named(words: list[str]) -> Q:
    return reduce(and_, (Q(name__icontains=word) for word in words))


def _machine(domain: Domain) -> Match:
    return Match(
        title=domain.name,
        hint=f"{domain.get_state_display()} on {domain.host.name}",
        url=reverse("domains:detail", args=[domain.uuid]),
    )


def _hosts(user: User, words: list[str], *, most: int) -> list[Match]:
    hosts = Host.objects.permitted(user, Verb.HOST_VIEW).present().filter(_named(words))
    return [
        Match(title=host.name, hint=f"Host, {host.get_state_display().lower()}", url=_host_url(host))
        for host in hosts[:most]
    ]


def _host_url(host: Host) -> str:
    return reverse("hosts:detail", args=[host.uuid])


def _commands(user: User, words: list[str], *, most: int) -> list[Match]:
    typed, rest = words[0].lower(), words[1:]
    if not rest or len(typed) < 2:
        return []
    found = []
    for word, title, state, power in COMMANDS:
        if not word.startswith(typed):
            continue
        verb = Verb.DOMAIN_POWER if power else Verb.DOMAIN_CONSOLE
        for domain in _machines(user, rest, verb).filter(state=state)[:most]:
            found.append(
                Match(
                    title=f"{title} {domain.name}",
                    hint=f"on {domain.host.name}",
                    post=reverse("domains:power", args=[domain.uuid, power]) if power else "",
                    url="" if power else reverse("console:screen", args=[domain.uuid]),
                )
            )
    return found
