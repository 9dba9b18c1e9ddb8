"""People comment on a run and its trials at any time, and read it again."""

import pytest

import trialwright
from trialwright import Engine, space
from trialwright.errors import StorageError
from trialwright.storage import comments


@pytest.fixture
def run(tmp_path):
    given = {"metric": "loss", "num_samples": 2, "searcher": "random", "executor": "local", "verbose": 0}
    return Engine(lambda config: config["x"], {"x": space.uniform(0, 1)}, storage=tmp_path, **given).run().path


def test_comments_on_a_run_and_its_trials_are_kept_in_order(run):
    assert trialwright.comments(run) == ()
    trialwright.comment(run, "used the old data")
    trialwright.comment(str(run), "two\nlines, and ü", trial=1)
    assert [(each.trial, each.text) for each in trialwright.comments(run)] == [
        (None, "used the old data"),
        (1, "two\nlines, and ü"),
    ]


@pytest.mark.parametrize(
    ("text", "trial", "message"), [("late", 7, "there is no trial 7"), (" ", None, "comment is empty")]
)
def test_a_comment_on_nothing_is_refused_and_not_written(run, text, trial, message):
    with pytest.raises(ValueError, match=message):
        trialwright.comment(run, text, trial)
    assert trialwright.comments(run) == ()


def test_a_line_that_is_no_comment_is_an_error_that_names_the_file(run):
    (run / comments.NAME).write_text("{}\n")
    with pytest.raises(StorageError, match=r"comments\.jsonl"):
        trialwright.comments(run)


def test_comments_change_nothing_of_the_run(run):
    before = repr(trialwright.load(run))
    trialwright.comment(run, "good", trial=0)
    assert repr(trialwright.load(run)) == before
