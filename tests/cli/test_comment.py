"""The command ``comment``."""

import json


def test_a_comment_is_shown_by_show_why_and_comment(call):
    assert call("comment", "ruled", "used the old \x1b[31mdata").exit_code == 0
    assert call("comment", "ruled", "too short", "--trial", "1").exit_code == 0
    told = json.loads(call("comment", "ruled", "--json").output)
    assert [(each["trial"], each["text"]) for each in told] == [(None, "used the old \x1b[31mdata"), (1, "too short")]
    assert "comment\tused the old \\x1b[31mdata (20" in call("show", "ruled").output
    assert "too short" not in call("show", "ruled").output
    [one] = json.loads(call("comment", "ruled", "--trial", "1", "--json").output)
    assert one["text"] == "too short"


def test_a_comment_on_a_trial_is_shown_when_it_is_explained(call):
    call("comment", "digits", "diverges late", "--trial", "0")
    assert "comment\tdiverges late (20" in call("why", "digits", 0).output
    assert "diverges" not in call("why", "digits", 1).output


def test_a_comment_on_a_trial_that_is_not_there_is_refused(call):
    result = call("comment", "digits", "late", "--trial", "99")
    assert result.exit_code == 2
    assert "there is no trial 99" in result.output
