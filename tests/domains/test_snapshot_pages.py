"""The tab and REST: what is shown before, what is refused, who may; and the rules by which snapshots are taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from domains.actions import snapshot_schedule as rules
from domains.actions import snapshots as actions
from domains.actions.power import power
from domains.models import Domain, DomainDisk, DomainState, Snapshot, SnapshotFile, SnapshotSchedule
from domains.power import PowerVerb
from domains.snapshots.schedule import next_after
from hosts.models import Host
from operations.models import Operation
from storage.models import Pool, Volume
from tests.conftest import Cast, browser_of, program_of

GIB = 1024**3
MARKUP = "<script>alert(1)</script> & “ünicode” 🚀"


@pytest.fixture
def pool(host: Host) -> Pool:
    space = {"capacity_bytes": 100 * GIB, "available_bytes": 50 * GIB}
    uuid = "5f2b4c1e-0000-4000-8000-000000000001"
    return Pool.objects.create(host=host, uuid=uuid, name="default", state="running", path="/pool", **space)


@pytest.fixture
def domain(cast: Cast, host: Host, pool: Pool) -> Domain:
    domain = Domain.objects.create(
        host=host, name="web1", state=DomainState.OFF, memory_mib=512, owner=cast.lead, firmware="bios"
    )
    Volume.objects.create(pool=pool, name="a.qcow2", path="/pool/a.qcow2", format="qcow2", capacity_bytes=GIB)
    DomainDisk.objects.create(
        domain=domain, target="vda", device="disk", path="/pool/a.qcow2", format="qcow2"
    )
    DomainDisk.objects.create(domain=domain, target="sda", device="cdrom", readonly=True)
    return domain


def become(domain: Domain, **columns: Any) -> Domain:
    Domain.objects.filter(pk=domain.pk).update(**columns)
    domain.refresh_from_db()
    return domain


def page(domain: Domain, rest: str = "") -> str:
    return f"/machines/{domain.uuid}/snapshots/{rest}"


class TestWay:
    """How it would be kept is said before."""

    def way(self, cast: Cast, domain: Domain) -> dict[str, Any]:
        answer = program_of(cast.lead).get(f"/api/v1/domains/{domain.uuid}/snapshots")
        told: dict[str, Any] = answer.json()
        return told

    def test_inside_the_disks(self, cast: Cast, domain: Domain) -> None:
        assert self.way(cast, domain)["without_memory"]["external"] is False

    def test_a_machine_that_runs(self, cast: Cast, domain: Domain) -> None:
        told = self.way(cast, become(domain, state=DomainState.RUNNING))

        assert (told["with_memory"]["external"], told["without_memory"]["external"]) == (False, True)

    def test_uefi(self, cast: Cast, domain: Domain) -> None:
        told = self.way(cast, become(domain, firmware="uefi"))["without_memory"]

        assert told["external"] is True
        assert "UEFI" in told["words"]

    def test_a_raw_disk(self, cast: Cast, domain: Domain) -> None:
        domain.disks.filter(target="vda").update(format="raw")

        assert "disk vda is raw" in self.way(cast, domain)["without_memory"]["words"]

    def test_a_disk_outside_of_known_pools(self, cast: Cast, domain: Domain) -> None:
        domain.disks.filter(target="vda").update(format="raw", path="/elsewhere/a.img")
        told = self.way(cast, domain)["without_memory"]

        assert told["possible"] is False
        assert "outside of the pools" in told["words"]

    def test_not_in_two_ways_at_once(self, cast: Cast, domain: Domain) -> None:
        Snapshot.objects.create(domain=domain, name="one", external=False)
        told = self.way(cast, become(domain, state=DomainState.RUNNING))["without_memory"]

        assert told["possible"] is False
        assert "Delete those first" in told["words"]

    def test_without_disks(self, cast: Cast, domain: Domain) -> None:
        domain.disks.all().delete()

        assert self.way(cast, domain)["without_memory"]["possible"] is False


class TestTake:
    def test_by_the_page(self, cast: Cast, domain: Domain) -> None:
        answer = browser_of(cast.lead).post(page(domain, "take/"), {"label": MARKUP})

        assert (answer.status_code, answer["Location"]) == (302, page(domain))
        operation = Operation.objects.get()
        assert (operation.kind, operation.params["label"]) == ("domain.snapshot.create", MARKUP)
        assert operation.params["left_out"] == ["sda"]

    @pytest.mark.parametrize("label", ["", " ", "x" * 300, "two\nlines", "null\0", "\u202eleft"])
    def test_a_name_that_cannot_be(self, cast: Cast, domain: Domain, label: str) -> None:
        seen = browser_of(cast.lead).post(page(domain, "take/"), {"label": label})
        answer = program_of(cast.lead).post(
            f"/api/v1/domains/{domain.uuid}/snapshots", {"label": label}, content_type="application/json"
        )

        assert seen.status_code == 422
        assert b"field-error" in seen.content
        assert (answer.status_code, answer.json()["field"]) == (422, "label")
        assert not Operation.objects.exists()

    def test_markup_is_text(self, cast: Cast, domain: Domain) -> None:
        Snapshot.objects.create(domain=domain, name="one", label=MARKUP, description=MARKUP)

        for path in (page(domain), page(domain, f"{Snapshot.objects.get().uuid}/")):
            seen = browser_of(cast.lead).get(path).content.decode()
            assert "&lt;script&gt;alert(1)" in seen
            assert "<script>alert" not in seen

    def test_while_something_else_is_at_work(self, cast: Cast, domain: Domain) -> None:
        power(verb=PowerVerb.START, domain=domain, actor=cast.lead)
        answer = program_of(cast.lead).post(
            f"/api/v1/domains/{domain.uuid}/snapshots", {"label": "one"}, content_type="application/json"
        )

        assert (answer.status_code, "Start web1" in answer.json()["title"]) == (409, True)
        assert not Volume.objects.filter(ready=False).exists()

    def test_the_same_click_twice_is_one(self, cast: Cast, domain: Domain) -> None:
        become(domain, firmware="uefi")
        for _ in range(2):
            browser_of(cast.lead).post(page(domain, "take/"), {"label": "one", "key": "click"})

        assert Operation.objects.count() == 1
        assert Volume.objects.filter(ours=True).count() == 1

    def test_no_room_for_its_memory(self, cast: Cast, domain: Domain, pool: Pool) -> None:
        Pool.objects.filter(pk=pool.pk).update(available_bytes=1024)
        for firmware in ("bios", "uefi"):
            become(domain, state=DomainState.RUNNING, firmware=firmware)
            answer = program_of(cast.lead).post(
                f"/api/v1/domains/{domain.uuid}/snapshots", {"label": "one"}, content_type="application/json"
            )
            assert (answer.status_code, "its memory may take" in answer.json()["title"]) == (409, True)
        assert not Volume.objects.filter(ready=False).exists()

    def test_with_saved_memory(self, cast: Cast, domain: Domain) -> None:
        become(domain, managed_save=True)
        answer = program_of(cast.lead).post(
            f"/api/v1/domains/{domain.uuid}/snapshots", {"label": "one"}, content_type="application/json"
        )

        assert (answer.status_code, "saved memory" in answer.json()["title"]) == (409, True)

    def test_the_agent_can_help_with_disks_alone(self, cast: Cast, domain: Domain) -> None:
        become(domain, state=DomainState.RUNNING)
        browser = browser_of(cast.lead)

        given = {"label": "one", "quiesce": "on"}
        assert browser.post(page(domain, "take/"), given | {"memory": "on"}).status_code == 422
        assert browser.post(page(domain, "take/"), given).status_code == 302
        assert Operation.objects.get().params["quiesce"] is True

    @pytest.mark.parametrize("who", ["auditor", "member", "stranger"])
    def test_is_not_for_everybody(self, cast: Cast, domain: Domain, who: str) -> None:
        become(domain, team=cast.team)
        answer = browser_of(cast.people()[who]).post(page(domain, "take/"), {"label": "one"})

        assert answer.status_code == 404


class TestDelete:
    @pytest.fixture
    def line(self, domain: Domain, pool: Pool) -> list[Snapshot]:
        """Three in files of their own, the machine after the last: /pool/a ← b ← c ← d."""
        made = []
        for number, name in enumerate("abc"):
            parent = "abc"[number - 1] if number else ""
            row = Snapshot.objects.create(
                domain=domain, name=name, parent=parent, external=True, taken_at=timezone.now()
            )
            SnapshotFile.objects.create(
                snapshot=row, target="vda", path=f"/pool/{name}.qcow2", format="qcow2"
            )
            above = "bcd"[number]
            Volume.objects.create(
                pool=pool,
                name=f"{above}.qcow2",
                path=f"/pool/{above}.qcow2",
                backing_path=f"/pool/{name}.qcow2",
                format="qcow2",
            )
            made.append(row)
        domain.disks.filter(target="vda").update(path="/pool/d.qcow2")
        return made

    def test_one_in_the_middle(self, cast: Cast, line: list[Snapshot]) -> None:
        operation = actions.delete(snapshot=line[1], children=False, actor=cast.lead)

        assert (operation.params["names"], operation.long) == (["b"], True)

    def test_with_all_that_came_after(self, cast: Cast, line: list[Snapshot]) -> None:
        domain = line[0].domain
        answer = browser_of(cast.lead).post(page(domain, f"{line[1].uuid}/delete/all/"))

        assert answer.status_code == 200
        assert sorted(Operation.objects.get().params["names"]) == ["b", "c"]

    def test_what_something_else_is_based_on(self, cast: Cast, line: list[Snapshot], pool: Pool) -> None:
        Volume.objects.create(pool=pool, name="x.qcow2", path="/pool/x.qcow2", backing_path="/pool/b.qcow2")
        answer = browser_of(cast.lead).post(page(line[0].domain, f"{line[1].uuid}/delete/"))

        assert (answer.status_code, b"x.qcow2" in answer.content) == (409, True)

    def test_files_of_snapshots_are_in_use(self, operator: Client, line: list[Snapshot], pool: Pool) -> None:
        kept = Volume.objects.create(pool=pool, name="m.memory", path="/pool/m.memory")
        SnapshotFile.objects.create(snapshot=line[0], path=kept.path)

        assert b"web1" in operator.get(f"/storage/volumes/{kept.uuid}/").content
        assert operator.post(f"/storage/volumes/{kept.uuid}/delete/").status_code == 409

    def test_a_machine_with_snapshots_does_not_move(self, operator: Client, line: list[Snapshot]) -> None:
        domain = line[0].domain
        Host.objects.create(name="kvm2", state="up", cpus=4, memory_mib=8192, address="kvm2.example.org")
        other = Host.objects.get(name="kvm2")
        answer = operator.get(f"/machines/{domain.uuid}/move/form/", {"target": str(other.uuid)})

        assert b"Its 3 snapshots" in answer.content


class TestRename:
    def test_by_the_page(self, cast: Cast, domain: Domain) -> None:
        row = Snapshot.objects.create(domain=domain, name="one")
        browser = browser_of(cast.lead)

        assert browser.post(page(domain, f"{row.uuid}/"), {"label": MARKUP}).status_code == 302
        row.refresh_from_db()
        assert (row.label, row.name) == (MARKUP, "one")
        assert browser.post(page(domain, f"{row.uuid}/"), {"label": "x" * 300}).status_code == 422

    def test_one_of_another_machine_is_not_there(self, cast: Cast, domain: Domain, host: Host) -> None:
        other = Domain.objects.create(host=host, name="web2", owner=cast.lead)
        row = Snapshot.objects.create(domain=other, name="one")

        assert browser_of(cast.lead).get(page(domain, f"{row.uuid}/")).status_code == 404


class TestTree:
    def test_is_drawn_where_ways_part(self, cast: Cast, domain: Domain) -> None:
        for name, parent in (("a", ""), ("b", "a"), ("c", "b"), ("d", "b")):
            Snapshot.objects.create(domain=domain, name=name, parent=parent, taken_at=timezone.now())
        seen = browser_of(cast.lead).get(page(domain)).content.decode()

        assert (seen.count("snapshot-depth-0"), seen.count("snapshot-depth-1")) == (2, 2)

    def test_a_circle_is_survived(self, cast: Cast, domain: Domain) -> None:
        for name, parent in (("a", "b"), ("b", "a"), ("c", "c")):
            Snapshot.objects.create(domain=domain, name=name, parent=parent)

        assert browser_of(cast.lead).get(page(domain)).status_code == 200
        actions.delete(snapshot=Snapshot.objects.get(name="a"), children=True, actor=cast.lead)


class TestSchedule:
    @pytest.fixture
    def now(self) -> datetime:
        return timezone.now()

    def rule(self, cast: Cast, domain: Domain, **changes: Any) -> SnapshotSchedule:
        given = {"every_hours": 4, "minute": 0, "keep": 2, "memory": False} | changes
        made = rules.set_schedule(domain=domain, actor=cast.lead, **given)
        SnapshotSchedule.objects.filter(pk=made.pk).update(next_at=timezone.now() - timedelta(minutes=1))
        return made

    @pytest.mark.parametrize(
        ("moment", "every_hours", "minute", "due"),
        [
            ("2026-11-23T04:57", 0, 180, "2026-11-24T03:00"),
            ("2026-11-23T02:59", 0, 180, "2026-11-23T03:00"),
            ("2026-11-23T03:00", 0, 180, "2026-11-24T03:00"),
            ("2026-11-23T04:57", 4, 15, "2026-11-23T08:15"),
            ("2026-11-23T23:30", 12, 0, "2026-11-24T00:00"),
            ("2026-11-23T00:10", 1, 15, "2026-11-23T00:15"),
        ],
    )
    def test_when_it_is_due(self, moment: str, every_hours: int, minute: int, due: str) -> None:
        asked = datetime.fromisoformat(moment).replace(tzinfo=UTC)

        found = next_after(asked, every_hours=every_hours, minute=minute)
        assert found == datetime.fromisoformat(due).replace(tzinfo=UTC)

    def test_takes_what_is_due_once(self, cast: Cast, domain: Domain) -> None:
        self.rule(cast, domain)
        rules.take_due()
        rules.take_due()

        operation = Operation.objects.get()
        assert (operation.actor, operation.params["scheduled"]) == (cast.lead, True)
        assert SnapshotSchedule.objects.get().next_at > timezone.now()

    def test_tells_why_one_was_skipped(self, cast: Cast, domain: Domain) -> None:
        power(verb=PowerVerb.START, domain=domain, actor=cast.lead)
        self.rule(cast, domain)
        rules.take_due()

        assert Operation.objects.count() == 1
        assert "Skipped: Another operation" in SnapshotSchedule.objects.get().told
        assert b"Skipped" in browser_of(cast.lead).get(page(domain)).content

    def test_is_not_followed_for_who_lost_the_right(self, cast: Cast, domain: Domain) -> None:
        self.rule(cast, domain)
        become(domain, owner=None)
        rules.take_due()

        assert not Operation.objects.exists()
        assert "may not" in SnapshotSchedule.objects.get().told

    def test_deletes_the_oldest_of_its_own(self, cast: Cast, domain: Domain, now: datetime) -> None:
        self.rule(cast, domain)
        SnapshotSchedule.objects.update(next_at=now + timedelta(hours=1))
        for number in range(4):
            taken_at = now - timedelta(hours=10 - number)
            Snapshot.objects.create(domain=domain, name=f"s{number}", scheduled=number > 0, taken_at=taken_at)
        rules.take_due()

        operation = Operation.objects.get()
        assert (operation.kind, operation.params["name"]) == ("domain.snapshot.delete", "s1")

    def test_by_the_page_and_by_rest(self, cast: Cast, domain: Domain) -> None:
        browser, program = browser_of(cast.lead), program_of(cast.lead)
        given = {"rule-every_hours": "0", "rule-at": "04:30", "rule-keep": "3"}
        address = f"/api/v1/domains/{domain.uuid}/snapshot-schedule"

        assert browser.post(page(domain, "rule/"), given).status_code == 302
        assert (program.get(address).json()["minute"], program.get(address).json()["keep"]) == (270, 3)
        for bad in ({"every_hours": 5}, {"minute": 1440}, {"keep": 0}, {"keep": 1000}):
            assert program.put(address, bad, content_type="application/json").status_code == 422
        assert browser.post(page(domain, "rule/clear/")).status_code == 302
        assert program.get(address).status_code == 404
