"""The page in a real Chromium: what is seen, clicked and typed, and what is never asked or run."""

from __future__ import annotations

import threading
from urllib.parse import urlsplit

import pytest

import trialwright
from tests.page.browser import DEADLINE_MS, browser, needs_chromium, served
from tests.page.shown import HOSTILE, make_run
from trialwright import Engine, report, space
from trialwright.messages import SamplesAdded, StopRequested
from trialwright.storage import inbox

needs_chromium()
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chromium():
    with browser() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def address(result):
    with served(result.path) as address:
        yield address


class Watched:
    """A tab, with all that went wrong in it and all that it has asked for."""

    def __init__(self, chromium, **keywords):
        self.context = chromium.new_context(viewport={"width": 1300, "height": 900}, **keywords)
        self.page = self.context.new_page()
        self.page.set_default_timeout(DEADLINE_MS)
        self.problems, self.asked = [], []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda said: said.type == "error" and self.problems.append(said.text))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, address):
        self.page.goto(address)
        self.page.locator("#going .fact.best .value").wait_for()
        return self.page


@pytest.fixture
def tab(chromium):
    tab = Watched(chromium)
    yield tab
    tab.context.close()
    assert not tab.problems


def test_the_best_value_is_shown_and_all_sections_are_in_order(tab, address, result):
    page = tab.open(address)
    assert page.locator("[data-best]").get_attribute("data-best") == str(result.best_trial.best[0])
    assert page.locator("#name").inner_text() == "shown <b>"
    sections = page.locator("main > section").evaluate_all("all => all.map((each) => each.id)")
    assert sections == ["going", "now", "curves", "trials", "matters", "act", "failures"]


def test_nothing_but_the_own_host_is_asked_and_the_token_does_not_stay_in_the_address(tab, address):
    page = tab.open(address)
    for section in ("now", "curves", "trials", "matters", "failures"):
        page.locator(f"#{section}").scroll_into_view_if_needed()
    page.locator(".slice canvas").first.wait_for()
    asked = [urlsplit(url) for url in tab.asked if not url.startswith("data:")]
    assert {url.netloc for url in asked} == {urlsplit(address).netloc}
    assert "token" not in page.url
    assert [url.query for url in asked if "token" in url.query] == [urlsplit(address).query]
    assert page.evaluate("document.cookie") == ""


def test_names_are_text_and_never_run(tab, address):
    page = tab.open(address)
    page.locator("#failures").scroll_into_view_if_needed()
    page.locator("#failures li button").first.click()
    page.locator("#detail pre").wait_for()
    assert HOSTILE in page.locator("#detail .bad").inner_text()
    assert HOSTILE in page.locator("#detail .pairs").first.inner_text()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0


def test_a_click_on_a_row_tells_why_the_trial_ended_and_escape_returns_to_it(tab, address, result):
    page = tab.open(address)
    row = page.locator("#trials tbody tr").first
    row.focus()
    page.keyboard.press("Enter")
    page.locator("#detail .why").wait_for()
    assert page.locator("#detail h2").inner_text().startswith(f"Trial {result.best_trial.id}")
    assert result.best_trial.reason in page.locator("#detail .why").inner_text()
    assert page.locator("#detail .story li").count() > 3
    page.keyboard.press("Escape")
    assert page.locator("#detail").is_hidden()


def test_the_table_is_sorted_by_a_click_and_filtered_by_words(tab, address, result):
    page = tab.open(address)
    page.get_by_role("button", name="lr", exact=True).click()
    page.locator('th[aria-sort="ascending"] button', has_text="lr").wait_for()
    least = min(result, key=lambda trial: trial.config["lr"])
    page.locator("#trials tbody tr").first.locator("td").first.filter(has_text=str(least.id)).wait_for()
    page.get_by_label("filter of trials").fill("outcome = failed")
    page.get_by_label("filter of trials").press("Enter")
    failed = sum(trial.outcome == "failed" for trial in result)
    page.locator("#trials .count", has_text=f"of {failed}").wait_for()
    page.get_by_label("filter of trials").fill("nothing = 1")
    page.get_by_label("filter of trials").press("Enter")
    page.locator("#trials [role=alert]", has_text="no column 'nothing'").wait_for()
    tab.problems.clear()  # the browser tells of the answer 400


def test_a_brush_on_an_axis_filters_the_table(tab, address):
    page = tab.open(address)
    canvas = page.locator("#matters canvas").first
    canvas.scroll_into_view_if_needed()
    page.locator("#matters .bars > *").first.wait_for()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 56, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 56, box["y"] + 290, steps=4)
    page.mouse.up()
    page.locator("#matters [role=status]", has_text="lines are in all ranges").wait_for()
    assert page.get_by_label("filter of trials").input_value().startswith('"lr" >= ')


def test_every_chart_has_a_name_and_its_numbers_as_a_table(tab, address):
    page = tab.open(address)
    page.locator("#matters").scroll_into_view_if_needed()
    page.locator(".slice canvas").first.wait_for()
    assert page.locator("canvas.own:not([aria-label])").count() == 0
    for name in ("Improvements", "Slots", "Curves", "Importance"):
        page.locator("summary", has_text=f"{name} as a table").click()
    page.locator("details[open] tbody tr").nth(20).wait_for()
    assert page.locator("button:not([aria-label])", has_text="").evaluate_all(
        "all => all.filter((each) => !each.textContent.trim()).length"
    ) == 0  # fmt: skip
    assert page.locator("input:visible").evaluate_all(
        "all => all.filter((each) => !each.labels.length && !each.ariaLabel).length"
    ) == 0  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_the_system_s_until_it_is_switched(chromium, address, scheme):
    tab = Watched(chromium, color_scheme=scheme)
    page = tab.open(address)
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == scheme
    page.locator("#theme").click()
    assert page.evaluate(theme) == {"light": "dark", "dark": "light"}[scheme]
    tab.context.close()
    assert not tab.problems


@pytest.mark.parametrize("width", [360, 800])
def test_a_narrow_window_is_not_scrolled_sideways(tab, address, width):
    tab.page.set_viewport_size({"width": width, "height": 800})
    page = tab.open(address)
    page.locator("#matters").scroll_into_view_if_needed()
    page.locator(".slice canvas").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_comment_is_shown_with_its_trial_as_text(tab, address, result):
    trialwright.comment(result.path, f"looks good {HOSTILE}", trial=result.best_trial.id)
    page = tab.open(address)
    page.locator("#trials tbody tr").first.click()
    page.locator("#detail").get_by_text(f"looks good {HOSTILE}").wait_for()
    assert page.evaluate("window.hacked") is None


def test_the_trials_that_meet_the_filter_are_downloaded_as_csv(tab, address, result):
    page = tab.open(address)
    page.locator("#trials input[type=search]").fill("outcome = stopped")
    page.locator("#trials input[type=search]").press("Enter")
    page.locator('#trials a[href*="outcome"]').wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert len(lines) == 1 + sum(trial.outcome == "stopped" for trial in result)


def test_a_saved_page_shows_the_run_without_a_server(chromium, tab, address, tmp_path, result):
    page = tab.open(address)
    with page.expect_download() as download:
        page.locator("#save").click()
    file = tmp_path / "saved.html"
    download.value.save_as(file)
    saved = Watched(chromium)
    page = saved.page
    page.goto(file.as_uri())
    assert page.locator("[data-best]").get_attribute("data-best") == str(result.best_trial.best[0])
    page.locator("#trials tbody tr").first.click()
    page.locator("#detail .why").wait_for()
    assert page.evaluate("window.hacked") is None
    assert [url for url in saved.asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert not saved.problems
    saved.context.close()


def test_a_list_of_runs_leads_to_each(tab, tmp_path):
    make_run(tmp_path, name="one", num_samples=3)
    make_run(tmp_path, name="two", num_samples=3)
    with served(tmp_path) as address:
        tab.page.goto(address)
        tab.page.get_by_role("link", name="two").click()
        tab.page.locator("#going .fact.best .value").wait_for()
        assert tab.page.locator("#name").inner_text() == "two"
        tab.page.get_by_role("link", name="All runs").click()
        tab.page.get_by_role("link", name="one").wait_for()


def test_a_run_that_goes_on_is_followed_gets_more_samples_and_is_stopped_from_the_page(tab, tmp_path):
    now = [1.0]

    def objective(config):
        for _ in range(10_000):
            report(loss=now[0])
            threading.Event().wait(0.02)

    engine = Engine(
        objective,
        {"x": space.uniform(0, 1)},
        metric="loss",
        num_samples=1,
        executor="local",
        storage=tmp_path,
        verbose=0,
    )
    thread = threading.Thread(target=engine.run)
    thread.start()
    try:
        while not (found := list(tmp_path.glob("*/journal.sqlite"))):
            threading.Event().wait(0.05)
        with served(found[0].parent, "--control") as address:
            page = tab.open(address)
            page.locator("#state", has_text="running").wait_for()
            for value in (0.5, 0.25):
                now[0] = value
                page.locator(f'[data-best="{value}"]').wait_for()
            page.get_by_label("More samples").fill("4")
            page.locator("#act").get_by_role("button", name="Add").click()
            page.locator("#going", has_text="of 5").wait_for()
            page.on("dialog", lambda dialog: dialog.accept())
            page.locator("#act button.danger").click()
            page.locator("#act", has_text="the run was asked to stop").wait_for()
            page.locator("#state", has_text="finished").wait_for()
            thread.join(60)
            tab.page.goto("about:blank")  # before the server ends
        assert inbox.requests(found[0].parent, 0) == [SamplesAdded(4, 1), StopRequested(None, 2)]
    finally:
        if list(tmp_path.glob("*/journal.sqlite")) and thread.is_alive():
            inbox.stop(next(tmp_path.glob("*/journal.sqlite")).parent)
        thread.join(60)


def test_an_engine_with_a_page_prints_its_address_and_the_page_ends_with_the_run(tab, tmp_path, capfd):
    go_on, said = threading.Event(), []

    def objective(config):
        report(loss=config["x"])
        assert go_on.wait(100)

    engine = Engine(
        objective,
        {"x": space.uniform(0, 1)},
        metric="loss",
        num_samples=1,
        executor="local",
        storage=tmp_path,
        verbose=0,
        page=True,
    )
    thread = threading.Thread(target=engine.run)
    thread.start()
    while "token=" not in "".join(said):
        said.append(capfd.readouterr().err)
        threading.Event().wait(0.1)
    page = tab.open("".join(said).split("the page of this run: ")[1].split()[0])
    go_on.set()
    thread.join(60)
    page.locator("#state", has_text="finished").wait_for()
    page.locator("#problem", has_text="its page has ended").wait_for()
    tab.problems.clear()  # the browser tells of the connection that was closed
