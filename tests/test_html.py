"""Tables for notebooks are escaped and bounded."""

import re

import pytest

import trialwright
from trialwright import ASHA, Engine, Random, Space, load, report, schedulers, searchers, space
from trialwright.html import CELL_LENGTH, ROWS_MAX, html_table

NASTY = '<script>alert("x")</script>&'


def result_of(objective=None, what=None, **keywords):
    told = {"metric": "loss", "executor": "local", "storage": None, "searcher": "random", "seed": 0, "verbose": 0}
    what = what or {"x": space.uniform(0, 1)}
    return Engine(objective or (lambda config: config["x"]), what, **told | keywords).run()


def cells(html):
    return re.findall(r"<td[^>]*>(.*?)</td>", html)


def test_strings_are_escaped_everywhere():
    html = html_table(NASTY, [NASTY], [[NASTY]], NASTY)
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;") == 4


def test_long_values_are_cut_and_many_rows_are_counted():
    html = html_table("", (), [["v" * 999]] * (ROWS_MAX + 7))
    assert len(cells(html)) == ROWS_MAX
    assert {len(each) for each in cells(html)} == {CELL_LENGTH}
    assert "and 7 more" in html


def test_a_result_shows_its_best_trials_first():
    html = result_of(num_samples=30, name=NASTY)._repr_html_()
    rows = html.count("<tr>") - 1
    losses = [float(each) for each in cells(html)[3::5]]
    assert rows == 10
    assert losses == sorted(losses)
    assert "the best 10 of 30 trials" in html
    assert "30 completed" in html
    assert "<script" not in html


def test_a_result_of_which_every_trial_has_failed_is_shown_too():
    def objective(config):
        raise ValueError(NASTY)

    result = result_of(objective, num_samples=3)
    assert cells(result._repr_html_())[1::5] == ["failed"] * 3
    html = result[0]._repr_html_()
    assert "ValueError: &lt;script&gt;" in html
    assert "<script" not in html


def test_a_result_with_many_parameters_is_bounded():
    many = {f"p{i}": space.uniform(0, 1) for i in range(300)}
    html = result_of(lambda config: 1.0, many, num_samples=2)._repr_html_()
    assert "and 292 more parameters" in html
    assert len(html) < 10_000


def test_a_loaded_result_looks_the_same(tmp_path):
    result = result_of(num_samples=3, storage=tmp_path)
    assert load(result.path)._repr_html_() == result._repr_html_()


def test_a_trial_has_a_short_repr_with_what_it_reported():
    def objective(config):
        report(loss=0.25, size=3)
        report(loss=0.5, size=4)

    trial = result_of(objective, {"x": space.uniform(0, 1), "long": "l" * 999}, num_samples=1)[0]
    assert repr(trial).startswith("TrialResult(0: completed after 2 steps, loss 0.5, size 4; x=0.")
    assert len(repr(trial)) < 400
    told = dict(zip(cells(trial._repr_html_())[::2], cells(trial._repr_html_())[1::2], strict=True))
    assert told["outcome"] == "completed"
    assert told["last loss"] == "0.5"
    assert told["steps"] == "2"


def test_a_space_shows_its_parameters_and_constraints():
    what = Space(
        {"lr": space.loguniform(1e-4, 1), "m": {"kind": space.choice(["<b>", "c"])}},
        constraints=["lr < 0.5", lambda config: True],
    )
    told = cells(what._repr_html_())
    assert told[::2] == ["lr", "m/kind", "constraint", "constraint"]
    assert told[1] == "loguniform(0.0001, 1)"
    assert "<b>" not in "".join(told).replace("<b>Space</b>", "")


@pytest.mark.parametrize("module", [schedulers, searchers], ids=lambda module: module.__name__)
def test_every_scheduler_and_searcher_shows_its_settings(module):
    protocols = {"Scheduler", "Searcher", "TrialView", "Problem", "Room"}
    classes = [getattr(module, name) for name in module.__all__ if name not in protocols]
    assert classes
    assert [cls.__name__ for cls in classes if not hasattr(cls, "_repr_html_")] == []


def test_settings_are_named_with_their_values():
    told = cells(ASHA(max_t=9)._repr_html_())
    assert dict(zip(told[::2], told[1::2], strict=True))["max_t"] == "9"
    assert "<b>Random</b>" in Random()._repr_html_()
    assert trialwright.FIFO()._repr_html_().count("<td") == 0
