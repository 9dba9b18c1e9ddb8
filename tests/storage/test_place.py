from pathlib import Path

import pytest

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
