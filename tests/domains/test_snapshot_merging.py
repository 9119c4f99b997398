"""Which files are merged, moved and dropped when snapshots go."""

from __future__ import annotations

import pytest

from core.errors import Conflict
from domains.snapshots.merging import Kept, Merge, plan

# base ← b ← c ← d: three snapshots one after the other, the machine writes to d.
LINE = [Kept("one", {"vda": "base"}), Kept("two", {"vda": "b"}, memory="m"), Kept("three", {"vda": "c"})]
BACKING = {"b": "base", "c": "b", "d": "c"}
NOW = {"vda": "d"}


class TestALine:
    def test_the_first(self) -> None:
        made = plan({"one"}, LINE, NOW, BACKING)

        assert made.merges == [Merge("vda", top="b", base="base")]
        assert (made.moved, made.dropped) == ({"b": "base"}, ["b"])

    def test_the_last(self) -> None:
        made = plan({"three"}, LINE, NOW, BACKING)

        assert made.merges == [Merge("vda", top="d", base="c")]
        assert (made.moved, made.dropped) == ({"d": "c"}, ["d"])

    def test_one_with_all_that_came_after(self) -> None:
        made = plan({"two", "three"}, LINE, NOW, BACKING)

        assert made.merges == [Merge("vda", top="d", base="b")]
        assert made.dropped == ["d", "c", "m"]

    def test_all(self) -> None:
        made = plan({"one", "two", "three"}, LINE, NOW, BACKING)

        assert made.merges == [Merge("vda", top="d", base="base")]
        assert set(made.dropped) == {"b", "c", "d", "m"}

    def test_a_disk_that_it_has_no_more(self) -> None:
        made = plan({"three"}, LINE, {}, {"b": "base", "c": "b"})

        assert (made.merges, made.dropped) == ([], ["c"])

    def test_a_disk_that_still_is_what_was_kept(self) -> None:
        made = plan({"one"}, [Kept("one", {"vda": "base"})], {"vda": "base"}, {})

        assert (made.merges, made.dropped) == ([], [])

    def test_several_disks(self) -> None:
        kept = [Kept("one", {"vda": "base", "vdb": "other"})]
        made = plan({"one"}, kept, {"vda": "b", "vdb": "x"}, {"b": "base", "x": "other"})

        assert [merge.target for merge in made.merges] == ["vda", "vdb"]


class TestWaysThatPart:
    """base ← b ← c, and base ← x: the machine went back to the first snapshot and writes to x."""

    kept = (Kept("one", {"vda": "base"}), Kept("two", {"vda": "b"}), Kept("three", {"vda": "c"}))
    backing = {"b": "base", "c": "b", "x": "base"}  # noqa: RUF012 (never written to)

    def test_what_another_way_is_based_on_stays(self) -> None:
        with pytest.raises(Conflict, match="goes on from the same moment"):
            plan({"one"}, self.kept, {"vda": "x"}, self.backing)

    def test_the_other_way_can_go_from_its_end(self) -> None:
        made = plan({"three"}, self.kept, {"vda": "x"}, self.backing)

        assert (made.merges, made.dropped) == ([], ["c"])

    def test_but_not_from_its_middle(self) -> None:
        with pytest.raises(Conflict):
            plan({"two"}, self.kept, {"vda": "x"}, self.backing)

    def test_the_whole_other_way_upper_first(self) -> None:
        made = plan({"two", "three"}, self.kept, {"vda": "x"}, self.backing)

        assert (made.merges, made.dropped) == ([], ["c", "b"])

    def test_everything(self) -> None:
        made = plan({"one", "two", "three"}, self.kept, {"vda": "x"}, self.backing)

        assert made.merges == [Merge("vda", top="x", base="base")]
        assert made.dropped == ["c", "b", "x"]

    def test_a_copy_that_is_based_on_a_file_keeps_it(self) -> None:
        with pytest.raises(Conflict, match="clone"):
            plan({"three"}, self.kept, {"vda": "x"}, self.backing | {"/pool/clone": "c"})


def test_files_that_go_round_in_a_circle_end() -> None:
    made = plan({"one"}, [Kept("one", {"vda": "z"})], {"vda": "a"}, {"a": "b", "b": "a"})

    assert made.dropped == ["z"]
