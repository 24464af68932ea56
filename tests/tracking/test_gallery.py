"""The pictures of a run are files under names of their own, and a run that goes on begins where it was."""

from __future__ import annotations

import errno
import math
from pathlib import Path

import pytest

from pgrobot.errors import PgrobotError
from pgrobot.pictures import Image, Picture, Table, Video, check_picture
from pgrobot.tracking import Gallery, kept, read_table

IMAGE = Image(b"png", b"<svg/>", "a caption")
TABLE = Table(("joint", "share"), (("hip", 0.1), ('1 "odd", one', math.nan)))


def files(run: Path) -> set[str]:
    return {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}


def test_every_kind_has_its_folder(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"film")
    run = tmp_path / "run"
    gallery = Gallery(run)
    pictures: dict[str, Picture] = {
        "violation/speed": IMAGE,
        "a_table.of_2": TABLE,
        "walk": Video(film, "a film"),
    }
    for name, picture in pictures.items():
        gallery.show(64, name, picture)
    assert files(run) == {
        "figures/violation/speed_64.png",
        "figures/violation/speed_64.svg",
        "tables/a_table.of_2_64.csv",
        "videos/walk_64.mp4",
    }
    assert (run / "figures/violation/speed_64.svg").read_bytes() == b"<svg/>"
    assert (run / "videos/walk_64.mp4").read_bytes() == b"film"
    assert [(found.name, found.step, found.path.suffix) for found in kept(run, Image)] == [
        ("violation/speed", 64, ".png"),
        ("violation/speed", 64, ".svg"),
    ]
    (table,) = kept(run, Table)
    assert (table.name, table.step) == ("a_table.of_2", 64)
    gallery.show(64, "walk", Video(run / "videos/walk_64.mp4", "it lies there already"))
    assert (run / "videos/walk_64.mp4").read_bytes() == b"film"


def test_a_table_is_read_back_as_it_was(tmp_path: Path) -> None:
    Gallery(tmp_path).show(1, "t", TABLE)
    (found,) = kept(tmp_path, Table)
    read = read_table(found.path)
    assert read.columns == TABLE.columns
    assert read.rows[0] == ("hip", 0.1)
    assert read.rows[1][0] == '1 "odd", one'
    assert math.isnan(float(read.rows[1][1]))


@pytest.mark.parametrize("content", ["", "hip,0.1\n", '"a","b"\n"hip"\n', '"a"\n"hip'])
def test_what_is_no_table(content: str, tmp_path: Path) -> None:
    path = tmp_path / "t_1.csv"
    path.write_text(content)
    with pytest.raises(PgrobotError, match=r"t_1\.csv is not a table of a run"):
        read_table(path)


def test_rewinding_forgets_what_came_later(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path)
    for step in (64, 128, 1024):
        gallery.show(step, "map", IMAGE)
    gallery.show(128, "t", TABLE)
    (tmp_path / "figures" / "own_figure.png").write_bytes(b"not ours")
    gallery.rewind(64)
    assert files(tmp_path) == {"figures/map_64.png", "figures/map_64.svg", "figures/own_figure.png"}


def test_a_full_disk_costs_the_picture_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pgrobot.files.os.fsync", full)
        Gallery(tmp_path).show(64, "map", IMAGE)
    assert files(tmp_path) == set()
    assert "The disk is full: " in caplog.text
    assert "map_64.png needs 3e-06 MB" in caplog.text
    assert "The run goes on, without its picture 'map'." in caplog.text


def test_other_reasons_are_told_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gallery = Gallery(tmp_path)
    gallery.show(64, "film", Video(tmp_path / "none.mp4", ""))
    (tmp_path / "tables").write_text("a file where a folder should be")
    gallery.show(64, "t", TABLE)
    gallery.show(64, "n" * 300, IMAGE)
    assert len(caplog.messages) == 3
    assert "none.mp4 cannot be read: no such file or directory" in caplog.messages[0]
    assert "tables/t_64 (0 MB) cannot be written: file exists" in caplog.messages[1]
    assert "file name too long" in caplog.messages[2]


@pytest.mark.parametrize("name", ["", ".", "..", "/etc/x", "a/../../b", "a//b", "./a", "a/", "a\0"])
def test_names_that_are_no_file_below_the_run(name: str) -> None:
    with pytest.raises(PgrobotError, match="A picture cannot be named"):
        check_picture(name, IMAGE)


def test_what_is_no_picture() -> None:
    check_picture("walker/hip.1_a", TABLE)
    with pytest.raises(PgrobotError, match="The picture 'x' is a int, and no Image, Table or Video"):
        check_picture("x", 3)
