"""Every document that we write is one that libvirt's own schemas accept, and none changes unnoticed.

With `UPDATE_GOLDEN=1` in the environment the golden files are written anew; read the difference before committing it.
"""

import os
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path

import pytest
from lxml import etree

from hypervisor import specs
from hypervisor.errors import Invalid
from hypervisor.snapshots import Layer, SnapshotSpec
from hypervisor.xml import build
from hypervisor.xml.snapshots import snapshot_xml
from tests.hypervisor import specimens

GOLDEN = Path(__file__).parent / "golden"
SCHEMAS = Path("/usr/share/libvirt/schemas")

DOCUMENTS = {
    **{f"domain-{spec.name}": ("domain", build.domain_xml(spec)) for spec in specimens.DOMAINS},
    **{
        f"volume-{spec.format}{'-based' if spec.backing else ''}": ("storagevol", build.volume_xml(spec))
        for spec in specimens.VOLUMES
    },
    **{f"snapshot-{spec.name}": ("domainsnapshot", snapshot_xml(spec)) for spec in specimens.SNAPSHOTS},
    "network-nat": ("network", build.nat_network_xml(specimens.NETWORK)),
    "pool-dir": (
        "storagepool",
        build.dir_pool_xml(uuid=str(specimens.PLAIN.uuid), name="isos & <co>", path="/srv/pool"),
    ),
}


def _specs(value: object) -> Iterator[object]:
    """A spec and all specs inside it."""
    if isinstance(value, tuple):
        for item in value:
            yield from _specs(item)
    elif is_dataclass(value) and not isinstance(value, type):
        yield value
        for field in fields(value):
            yield from _specs(getattr(value, field.name))


ALL_SPECS = [
    *_specs(specimens.DOMAINS),
    *_specs(specimens.VOLUMES),
    *_specs(specimens.SNAPSHOTS),
    specimens.NETWORK,
]


@pytest.mark.parametrize("name", DOCUMENTS)
class TestEachDocument:
    def test_is_what_it_was(self, name: str) -> None:
        golden = GOLDEN / f"{name}.xml"
        document = DOCUMENTS[name][1]
        if os.environ.get("UPDATE_GOLDEN"):
            golden.write_text(document)
        assert document == golden.read_text()

    def test_is_valid_for_libvirt(self, name: str) -> None:
        schema_name, document = DOCUMENTS[name]
        schema = etree.RelaxNG(etree.parse(SCHEMAS / f"{schema_name}.rng"))

        schema.assertValid(etree.fromstring(document))


class TestTogether:
    def test_no_golden_file_is_left_over(self) -> None:
        assert {file.stem for file in GOLDEN.glob("*.xml")} == set(DOCUMENTS)

    @pytest.mark.parametrize("kind", list(dict.fromkeys(type(spec) for spec in ALL_SPECS)))
    def test_they_use_every_field(self, kind: type) -> None:
        of_this_kind = [spec for spec in ALL_SPECS if type(spec) is kind]
        for field in fields(kind):
            used = {getattr(spec, field.name) for spec in of_this_kind} - {field.default}
            assert used, f"{kind.__name__}.{field.name} has its default everywhere"

    def test_they_use_every_kind_of_spec(self) -> None:
        known = {kind for kind in vars(specs).values() if isinstance(kind, type) and is_dataclass(kind)}
        # Parameters of calls, not documents.
        known -= {specs.DiskChange, specs.MigrationSpec, specs.NicChange}
        assert known | {SnapshotSpec, Layer} == {type(spec) for spec in ALL_SPECS}

    def test_they_use_every_value_of_every_enumeration(self) -> None:
        used = {
            getattr(spec, field.name)
            for spec in ALL_SPECS
            for field in fields(spec)  # type: ignore[arg-type]
            if isinstance(getattr(spec, field.name), Enum)
        }
        known = {
            value
            for kind in vars(specs).values()
            if isinstance(kind, type) and issubclass(kind, Enum)
            for value in kind
        }
        assert known == used


class TestSpecs:
    def test_only_qcow2_can_be_based_on_a_file(self) -> None:
        backing = specs.BackingSpec(path="/srv/a.raw", format=specs.ImageFormat.RAW)
        with pytest.raises(Invalid):
            specs.VolumeSpec(name="a", format=specs.ImageFormat.RAW, capacity_bytes=1, backing=backing)

    @pytest.mark.parametrize("password", ["", "ninechars", "ä"])
    def test_a_screen_has_a_password_that_the_protocol_can_carry(self, password: str) -> None:
        with pytest.raises(Invalid):
            specs.VncSpec(password=password)

    def test_a_password_is_not_in_a_representation(self) -> None:
        assert "hush" not in repr(specs.VncSpec(password="hush"))

    @pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "a\n", "ä", "x" * 256, "a\0"])
    def test_a_volume_has_a_plain_name(self, name: str) -> None:
        with pytest.raises(Invalid):
            specs.VolumeSpec(name=name, format=specs.ImageFormat.RAW, capacity_bytes=1)

    @pytest.mark.parametrize(("capacity", "allocation"), [(-1, 0), (10 * 1024**6, 0), (1, 2), (1, -1)])
    def test_a_volume_has_a_possible_size(self, capacity: int, allocation: int) -> None:
        with pytest.raises(Invalid):
            specs.VolumeSpec(
                name="a", format=specs.ImageFormat.RAW, capacity_bytes=capacity, allocation_bytes=allocation
            )
