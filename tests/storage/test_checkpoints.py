import os
import pickle
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trialwright.storage import checkpoints

KEYS = st.text(max_size=5) | st.integers(-5, 5)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5)
)
DICTS = st.dictionaries(
    KEYS, st.recursive(LEAVES, lambda item: st.lists(item, max_size=3) | st.dictionaries(KEYS, item)), max_size=4
)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "run" / "checkpoints" / "7-1-3"


def load_path(target):
    path = checkpoints.load(target)
    assert isinstance(path, Path)
    return path


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=DICTS)
def test_a_dict_comes_back(target, state):
    checkpoints.save(state, target)
    assert checkpoints.load(target) == state


def test_a_directory_comes_back(tmp_path, target):
    source = tmp_path / "model"
    (source / "deep" / "empty").mkdir(parents=True)
    (source / "deep" / "weights").write_bytes(b"\0\1")
    (source / "link").symlink_to("deep/weights")
    (source / "dict.msgpack").write_bytes(b"the user's own")
    checkpoints.save(source, target)
    shutil.rmtree(source)
    loaded = load_path(target)
    assert sorted(path.name for path in loaded.rglob("*")) == ["deep", "dict.msgpack", "empty", "link", "weights"]
    assert (loaded / "link").read_bytes() == b"\0\1"


@pytest.mark.parametrize("name", ["weights.pt", "directory", "dict.msgpack", "-rf é"])
def test_a_file_comes_back_under_its_name(tmp_path, target, name):
    (tmp_path / name).write_bytes(b"\0\1")
    checkpoints.save(str(tmp_path / name), target)
    loaded = load_path(target)
    assert (loaded.name, loaded.read_bytes()) == (name, b"\0\1")


def test_a_later_checkpoint_takes_the_place_of_an_earlier_one(tmp_path, target):
    (tmp_path / "file").write_text("x")
    checkpoints.save({"step": 1}, target)
    checkpoints.save(tmp_path / "file", target)
    assert load_path(target).read_text() == "x"


def test_a_draft_is_no_checkpoint(tmp_path, target, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", lambda self, other: (_ for _ in ()).throw(KeyboardInterrupt))
        checkpoints.save({"step": 1}, target)
    with pytest.raises(FileNotFoundError):
        checkpoints.load(target)
    checkpoints.save({"step": 2}, target)
    assert checkpoints.load(target) == {"step": 2}
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_disk_that_fails_leaves_the_earlier_checkpoint(target, monkeypatch):
    def fail(*arguments):
        raise OSError("no space left on device")

    checkpoints.save({"step": 1}, target)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr(os, "fsync", fail)
        checkpoints.save({"step": 2}, target)
    assert checkpoints.load(target) == {"step": 1}
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_an_earlier_checkpoint_has_its_name_until_the_later_is_complete(target, monkeypatch):
    seen, rename = [], Path.rename

    def watch(path, other):
        seen.append((path.name, checkpoints.load(target)["step"] if target.exists() else None))
        return rename(path, other)

    checkpoints.save({"step": 1}, target)
    monkeypatch.setattr(Path, "rename", watch)
    checkpoints.save({"step": 2}, target)
    assert seen == [(target.name, 1), (f"{target.name}.draft", None)]
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_everything_is_synced_before_it_has_its_name(tmp_path, target, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("x")
    synced, fsync = [], os.fsync

    def watch(descriptor):
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, target.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    checkpoints.save(tmp_path / "model", target)
    assert ("run", False) in synced  # the directory that the name "checkpoints" is in
    assert {("weights", False), ("directory", False), (f"{target.name}.draft", False), ("checkpoints", True)} <= set(
        synced
    )


def test_nothing_there(tmp_path, target):
    with pytest.raises(FileNotFoundError, match="nothing at .*nowhere"):
        checkpoints.save(tmp_path / "nowhere", target)
    with pytest.raises(FileNotFoundError):
        checkpoints.save("", target)
    with pytest.raises(FileNotFoundError):
        checkpoints.load(target)
    assert not list(target.parent.iterdir())


@pytest.mark.parametrize("path", ["run", ".", "link"])
def test_a_directory_is_not_saved_into_itself(tmp_path, target, path):
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="where checkpoints are kept"):
        checkpoints.save(tmp_path / path, target)
    assert not list(target.parent.iterdir())


@pytest.mark.parametrize("checkpoint", [3, b"bytes", ["a"], None, object()])
def test_what_is_no_checkpoint_is_refused_by_its_type(target, checkpoint):
    with pytest.raises(TypeError, match=f"directory, a file, or a dict, not a {type(checkpoint).__name__}"):
        checkpoints.save(checkpoint, target)
    assert not target.exists()


@pytest.mark.parametrize("value", [object(), {1, 2}, 2**64, len, 1j])
def test_a_dict_of_what_is_no_plain_data_is_refused(target, value):
    with pytest.raises(TypeError, match=re.escape("may hold only plain data") + ".*torch.save"):
        checkpoints.save({"deep": [value]}, target)
    assert not target.exists()


def test_nothing_is_unpickled(target):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(target.parent / "sprung"),))

    checkpoints.save({"step": 1}, target)
    (target / "dict.msgpack").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="extra data|Unpack"):
        checkpoints.load(target)
    assert not (target.parent / "sprung").exists()


def test_discard(tmp_path, target):
    checkpoints.save({"step": 1}, target)
    checkpoints.discard(target, tmp_path / "run")
    checkpoints.discard(target, tmp_path / "run")  # gone already
    assert not target.exists()


@pytest.mark.parametrize("path", ["run/../mine", "mine", "run-2", "run/link", "run/into/mine", ".", "/"])
def test_discard_does_not_change_what_is_outside(tmp_path, path):
    for name in ("run", "mine", "run-2"):
        checkpoints.save({"step": 1}, tmp_path / name)
    (tmp_path / "run" / "link").symlink_to(tmp_path / "mine")
    (tmp_path / "run" / "into").symlink_to(tmp_path)
    checkpoints.discard(tmp_path / path, tmp_path / "run")
    assert all((tmp_path / name / "dict.msgpack").is_file() for name in ("run", "mine", "run-2", "run/link"))


@pytest.mark.parametrize("path", ["run", "run/.", "run/x/..", "run/trials", "run/trials/7", "run/journal", "run/link"])
def test_discard_deletes_nothing_but_checkpoints(tmp_path, path):
    checkpoint = tmp_path / "run" / "trials" / "7" / "1-3"
    checkpoints.save({"step": 1}, checkpoint)
    (tmp_path / "run" / "journal").touch()
    (tmp_path / "run" / "link").symlink_to(checkpoint)
    checkpoints.discard(tmp_path / path, tmp_path / "run")
    assert checkpoints.load(checkpoint) == {"step": 1}
    assert (tmp_path / "run" / "journal").exists()
    assert (tmp_path / "run" / "link").is_symlink()


def test_discard_by_way_of_a_link_to_the_run(tmp_path, target):
    checkpoints.save({"step": 1}, target)
    (tmp_path / "latest").symlink_to(tmp_path / "run")
    checkpoints.discard(tmp_path / "latest" / "checkpoints" / target.name, tmp_path / "latest")
    assert not list(target.parent.iterdir())


def test_what_is_half_deleted_has_no_checkpoints_name(tmp_path, target, monkeypatch):
    def die(path, **_):
        if path.exists():
            raise KeyboardInterrupt

    checkpoints.save({"step": 1}, target)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", die)
        checkpoints.discard(target, tmp_path / "run")
    assert not target.exists()


# Where a run keeps them -----------------------------------------------------------------------------------------------


def test_a_path_inside_the_run_moves_with_it_and_another_stays(tmp_path):
    inside, outside = str(tmp_path / "run" / "trials" / "1"), str(tmp_path / "elsewhere")
    assert checkpoints.from_run(inside, tmp_path / "run") == "trials/1"
    assert checkpoints.from_run(outside, tmp_path / "run") == outside
    assert checkpoints.located("trials/1", tmp_path / "moved") == str(tmp_path / "moved" / "trials" / "1")
    assert checkpoints.located(outside, tmp_path / "moved") == outside
    assert checkpoints.located(inside, None) == inside


def test_of_a_step_that_two_attempts_saved_the_last_attempts_counts(tmp_path):
    directory = checkpoints.trial_directory(tmp_path, 7)
    assert checkpoints.saved(directory) == {}
    for name in ("001-00000002", "001-00000010", "002-00000002", "001-00000003.draft", "mine"):
        checkpoints.save({"step": 1}, directory / "checkpoints" / name)
    found = checkpoints.saved(directory)
    assert list(found) == [2, 10]
    assert [path.name for path in found.values()] == ["002-00000002", "001-00000010"]


def test_sweeping_deletes_what_is_ours_and_not_needed(tmp_path):
    kept = checkpoints.trial_directory(tmp_path / "run", 7) / "checkpoints"
    for name in ("1-2", "1-3", "1-4.draft", "1-3.earlier", "mine", "1-2-x"):
        checkpoints.save({"step": 1}, kept / name)
    needed = str(Path("where/it/was/trials/000007/checkpoints/1-3"))  # the run has been moved since
    checkpoints.sweep(tmp_path / "run", [needed])
    assert {path.name for path in kept.iterdir()} == {"1-3", "mine", "1-2-x"}
