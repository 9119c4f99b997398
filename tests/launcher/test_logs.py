"""Following log files while the supervisor turns them over."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from launcher.layout import Layout, read
from launcher.logs import Follower, tail
from launcher.watch import told


def layout_with_log(tmp_path: Path, lines: str) -> Layout:
    layout = read({"PANEL_STATE_DIR": str(tmp_path), "PANEL_HOSTNAMES": "localhost"})
    layout.make_folders()
    (layout.log / "worker.log").write_text(lines)
    return layout


class TestFollower:
    def test_gives_whole_new_lines_only(self, tmp_path: Path) -> None:
        path = tmp_path / "web.log"
        path.write_text("old\n")
        with closing(Follower(path)) as follower, path.open("a") as log:
            log.write("one\ntw")
            log.flush()
            assert list(follower.lines()) == ["one"]
            log.write("o\n")
            log.flush()
            assert list(follower.lines()) == ["two"]

    def test_goes_on_in_the_file_that_took_its_place(self, tmp_path: Path) -> None:
        path = tmp_path / "web.log"
        path.write_text("old\n")
        with closing(Follower(path)) as follower:
            with path.open("a") as log:
                log.write("last of the first\n")
            path.rename(tmp_path / "web.log.1")
            path.write_text("first of the second\n")

            assert list(follower.lines()) == ["last of the first", "first of the second"]

    def test_waits_for_a_file_that_is_not_there_yet(self, tmp_path: Path) -> None:
        path = tmp_path / "web.log"
        with closing(Follower(path)) as follower:
            assert list(follower.lines()) == []
            path.write_text("hello\n")
            assert list(follower.lines()) == ["hello"]


class TestTail:
    def test_gives_the_last_lines_and_none_of_a_missing_file(self, tmp_path: Path) -> None:
        (tmp_path / "web.log").write_text("a\nb\nc\n")

        assert tail(tmp_path / "web.log", 2) == ["b", "c"]
        assert tail(tmp_path / "missing.log", 2) == []


class TestTold:
    def test_a_death_is_told_with_the_parts_last_words(self, tmp_path: Path) -> None:
        layout = layout_with_log(tmp_path, "working\nout of memory\n")
        line = "2026-11-22 21:00:00,000 WARN exited: worker (terminated by SIGKILL; not expected)"

        first, *words = told(line, layout)

        assert first.startswith("! worker died (terminated by SIGKILL) and is started again")
        assert [word.strip() for word in words] == ["working", "out of memory"]

    def test_a_return_is_told_and_the_rest_is_not(self, tmp_path: Path) -> None:
        layout = layout_with_log(tmp_path, "")
        back = "2026-11-22 21:00:03,000 INFO success: worker entered RUNNING state, process has stayed up …"

        assert list(told(back, layout)) == ["* worker runs again"]
        assert list(told("2026-11-22 21:00:00,000 INFO spawned: 'worker' with pid 7", layout)) == []
