"""What stands in the way of a draft, what it changes, and how it is shown: nothing here changes anything."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from domains import claims
from domains.models import Domain, DomainDraft, DomainVersion
from hosts.models import Host, Transport
from hypervisor.xml.differences import Line, differences, line_differences
from hypervisor.xml.policy import Objection, objections
from hypervisor.xml.secrets import Secrets
from storage.models import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a draft changes, in words and in lines (None: too long for that), and what is objected to."""

    words: list[str]
    lines: list[Line] | None
    objections: list[Objection]

    @property
    def refused(self) -> bool:
        """Whether nobody may apply it."""
        return any(one.final for one in self.objections)


def preview(draft: DomainDraft) -> Preview:
    """As the person is shown it before they apply it."""
    base, wanted = draft.base.xml, draft.xml
    return Preview(
        words=differences(base, wanted),
        lines=line_differences(base, wanted),
        objections=in_the_way(draft.domain, base, wanted),
    )


def in_the_way(domain: Domain, base: str, wanted: str) -> list[Objection]:
    """All that is objected to: what others have by now, and what the policy says."""
    return [
        *claims.objections(domain, domain.host, base, wanted),
        *objected(domain.host, base, wanted),
    ]


def objected(host: Host, base: str, wanted: str) -> list[Objection]:
    """What `hypervisor.xml.policy` says of a definition for this host."""
    pools = Pool.objects.filter(host=host, gone_at=None).exclude(path="").values_list("name", "path")
    own = [str(settings.STATE_DIR)] if host.transport == Transport.LOCAL else []
    return objections(base, wanted, pools=dict(pools), own=own)


def editable(draft: DomainDraft) -> str:
    """The draft as text to go on with: a secret that it brings with it has a placeholder, too."""
    secrets = Secrets()
    secrets.hide(draft.base.xml)
    return secrets.hide(draft.xml)


def overtaken(domain: Domain, base: DomainVersion) -> bool:
    """Whether the definition in force is not `base` any more, as far as it was seen."""
    return domain.xml_sha != base.sha
