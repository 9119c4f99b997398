from django.apps import AppConfig


class DomainsConfig(AppConfig):
    name = "domains"

    def ready(self) -> None:
        """Make the live pieces known, the page of a machine, its operations' rights, and what it uses elsewhere."""
        import domains.live  # noqa: F401
        from domains.lifecycle import RULES
        from domains.models import Domain, Selection
        from domains.usage import at_work_on, cards_in, machines_with, snapshots_with, trash_with
        from hosts import busy
        from networks import plugged
        from operations import rights, targets
        from storage import usage

        targets.register(Domain, page="domains:detail", words="virtual machine")
        targets.register(Selection, page="", words="several virtual machines", whole=True)
        for kind, rule in RULES.items():
            rights.register(kind, rule.verb)
        usage.register_user(machines_with)
        usage.register_user(trash_with)
        usage.register_user(snapshots_with)
        plugged.register(cards_in)
        busy.register(at_work_on)
