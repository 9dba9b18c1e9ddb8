from pathlib import Path

import pytest

from trialist.errors import StorageError
from trialist.storage import place
from trialist.storage.sqlite import SqliteStore


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs"])
def test_a_network_disk_is_refused_unless_forced(run, monkeypatch, kind):
    monkeypatch.delenv(place.FORCE, raising=False)
    monkeypatch.setattr(place, "file_system", lambda directory: kind)
    for attempt in (SqliteStore.open, lambda path: SqliteStore.create(path / "new", {})):
        with pytest.raises(StorageError, match=rf"{run}.*network disk \({kind}\).*{place.FORCE}=1"):
            attempt(run)
    SqliteStore.open(run, read_only=True).close()
    monkeypatch.setenv(place.FORCE, "1")
    SqliteStore.open(run).close()


@pytest.mark.parametrize("kind", ["ext4", "tmpfs", "fuse.fuse-overlayfs", "fuseblk", ""])
def test_a_disk_of_this_machine_is_not(run, monkeypatch, kind):
    monkeypatch.setattr(place, "file_system", lambda directory: kind)
    SqliteStore.open(run).close()


def test_file_systems_are_known_by_the_names_that_mount_has_for_them():
    assert place.file_system(Path("/proc")) == "proc"
    assert place.file_system(Path("/sys")) == "sysfs"
