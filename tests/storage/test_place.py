import math
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

import trialwright
from trialwright import Engine, load, tune
from trialwright.loggers import export
from trialwright.storage import place
from trialwright.storage.sqlite import SqliteStore


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs"])
def test_a_network_disk_is_warned_of(run, monkeypatch, kind):
    monkeypatch.setattr(place, "file_system", lambda directory: kind)
    for attempt in (SqliteStore.open, lambda path: SqliteStore.create(path / "new", {})):
        with pytest.warns(RuntimeWarning, match=rf"{run}.*network disk \({kind}\)"):
            attempt(run).close()
    SqliteStore.open(run, read_only=True).close()


@pytest.mark.parametrize("kind", ["ext4", "tmpfs", "fuse.fuse-overlayfs", "fuseblk", ""])
def test_a_disk_of_this_machine_is_not(run, monkeypatch, kind):
    monkeypatch.setattr(place, "file_system", lambda directory: kind)
    SqliteStore.open(run).close()


def test_file_systems_are_known_by_the_names_that_mount_has_for_them():
    assert place.file_system(Path("/proc")) == "proc"
    assert place.file_system(Path("/sys")) == "sysfs"


# A link to a run ------------------------------------------------------------------------------------------------------


def kept(directory, **keywords):
    keywords = {"metric": "loss", "executor": "local", "storage": directory, "verbose": 0, **keywords}
    return Engine(lambda config: 1.0, {"x": 1}, **keywords)


def test_a_link_leads_to_the_latest_run_of_its_name(tmp_path):
    for _ in range(2):
        result = kept(tmp_path, link="latest").run()
        assert (tmp_path / "latest").resolve() == result.path
    assert len(Engine.resume(tmp_path / "latest", lambda config: 1.0, executor="local", verbose=0).run()) == 1
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_symlink()) == ["latest"]


def test_a_resumed_run_gets_a_link_only_if_it_is_given_one(tmp_path):
    path = kept(tmp_path, link="latest").run().path
    (tmp_path / "latest").unlink()
    for link in (None, "again"):
        keywords = {} if link is None else {"link": link}
        Engine.resume(path, lambda config: 1.0, executor="local", verbose=0, **keywords).run()
        assert [each.name for each in tmp_path.iterdir() if each.is_symlink()] == ([] if link is None else [link])


def test_what_is_no_link_is_not_changed_and_told(tmp_path):
    (tmp_path / "latest").mkdir()
    with pytest.warns(RuntimeWarning, match="no link leads to .*latest' is there, and is no link"):
        result = kept(tmp_path, link="latest").run()
    assert len(result) == 1
    assert not (tmp_path / "latest").is_symlink()


@pytest.mark.parametrize("link", ["", "a/b", "..", ".hidden", "two\nlines", 201 * "a", 3])
def test_a_link_must_have_a_name_that_is_safe(tmp_path, link):
    with pytest.raises(ValueError, match="link must be a name"):
        kept(tmp_path, link=link).run()


def test_a_link_needs_a_storage():
    with pytest.raises(ValueError, match="link='latest' needs a storage"):
        kept(None, link="latest").run()


def test_notes_are_kept_with_the_run(tmp_path):
    notes = {"data": "v3", "layers": [64, 32], "weight": math.inf, "inner": {"x": None}}
    result = kept(tmp_path, notes=notes).run()
    resumed = Engine.resume(result.path, lambda config: 1.0, executor="local", verbose=0).run()
    assert result.notes == load(result.path).notes == resumed.notes == notes
    assert kept(None).run().notes == {}
    with pytest.raises(ValueError, match="notes was .* and cannot become"):
        Engine.resume(result.path, lambda config: 1.0, notes={"data": "v4"})


@pytest.mark.parametrize("notes", [["a"], {1: "a"}, {"a": object()}])
def test_notes_must_be_plain_data(tmp_path, notes):
    with pytest.raises(ValueError, match="notes must be"):
        kept(tmp_path, notes=notes).run()


class Layer(Engine):
    """As a layer over the engine may be."""

    directory = None

    def begun(self, directory):
        self.directory = directory


def test_a_subclass_is_told_the_directory_before_anything_starts(tmp_path):
    known = []
    layer = Layer(lambda config: known.append(layer.directory), {"x": 1}, executor="local", storage=tmp_path, verbose=0)
    assert known == [layer.run().path]


# Where a run is -------------------------------------------------------------------------------------------------------


def made(directory, *names):
    for name in names:
        SqliteStore.create(directory / name, {}).close()


SLOW = ("slow-20260101-120000-aaaaaa", "slow-20260102-120000-bbbbbb")


@pytest.mark.parametrize(
    "find",
    [
        load,
        lambda path: Engine.resume(path, print),
        lambda path: trialwright.enqueue(path, {}),
        trialwright.stop,
        lambda path: export(path, "csv"),
        lambda path: tune.Tuner.restore(path, print),
    ],
)
def test_where_there_is_no_run_those_that_begin_so_are_named(tmp_path, monkeypatch, find):
    monkeypatch.chdir(tmp_path)
    made(tmp_path / "runs", *SLOW, "fast-20260103-120000-cccccc")
    with pytest.raises(ValueError, match="there is no run in '.*runs/slow'; there are '.*slow-.*', '.*slow-") as raised:
        find("runs/slow")
    assert "fast" not in str(raised.value)


def test_the_error_for_a_name_that_is_nearly_right_has_the_right_one(tmp_path):
    made(tmp_path, *SLOW, "fast-20260103-120000-cccccc")
    with pytest.raises(ValueError, match="did you mean '.*/slow-.*', '.*/slow-.*'[?]"):
        load(tmp_path / "slwo")


def test_of_a_directory_of_runs_the_newest_are_named(tmp_path):
    made(tmp_path, *map(str, range(7)))
    with pytest.raises(ValueError, match="in it are '.*', and 2 more"):
        load(tmp_path)


def test_what_is_no_path_is_refused():
    with pytest.raises(TypeError, match="a run's directory must be a path, not 3"):
        load(3)


def test_a_path_may_begin_with_the_users_own_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    made(tmp_path, "mine")
    assert place.find_run("~/mine") == tmp_path / "mine"


def test_a_file_system_that_is_not_mounted_here_has_no_name():
    class Elsewhere:
        def stat(self):
            return SimpleNamespace(st_dev=os.makedev(4095, 77))

    assert place.file_system(Elsewhere()) == ""
