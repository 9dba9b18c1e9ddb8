"""Only the person at this machine gets answers, and only with control a request reaches a run."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import threading
from pathlib import Path

import pytest
from starlette.testclient import TestClient

import trialwright
from tests.page.shown import HOSTILE, make_run
from trialwright import Engine, report, space
from trialwright.page import csv_file, live
from trialwright.page.runs import Runs
from trialwright.page.security import LARGEST_BODY
from trialwright.page.server import MOST_PAGES, app
from trialwright.storage import inbox

TOKEN = "a-secret-of-the-test"
BASE = "http://127.0.0.1:8000"
OWN = {"Origin": BASE, "Content-Type": "application/json"}


def client_of(where, *, control=False, cookie=True):
    client = TestClient(app(Runs(where), TOKEN, control=control), base_url=BASE, follow_redirects=False)
    if cookie:
        client.cookies.set("trialwright-8000", TOKEN)
    return client


@pytest.fixture(scope="module")
def client(result):
    return client_of(result.path)


def api(result, name):
    return f"/api/runs/{result.path.name}/{name}"


NAMES = ("summary", "history", "trials", "failures", "curves", "rungs", "timeline", "points", "front", "importance")


@pytest.mark.parametrize("name", NAMES)
def test_each_answer_is_json(client, result, name):
    answer = client.get(api(result, name))
    assert answer.status_code == 200
    json.loads(answer.text, parse_constant=lambda text: pytest.fail(text))


def test_the_token_in_the_address_sets_a_cookie_that_scripts_and_other_sites_do_not_get(result):
    client = client_of(result.path, cookie=False)
    answer = client.get("/", params={"token": TOKEN})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"trialwright-8000={TOKEN};")
    assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in cookie.split(";")}
    assert client.get(api(result, "summary")).status_code == 200


@pytest.mark.parametrize("path", ["/", "/run/x", "/assets/page.css", "/api/runs", "/api/runs/x/events", "/nothing"])
@pytest.mark.parametrize("given", [{}, {"token": "wrong"}, {"token": ""}])
def test_without_the_token_there_is_no_answer(result, path, given):
    answer = client_of(result.path, cookie=False).get(path, params=given)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "0.0.0.0:8000"])
def test_another_host_is_refused(client, result, host):
    assert client.get(api(result, "summary"), headers={"Host": host}).status_code == 403


def test_a_forwarded_port_and_localhost_are_answered(result):
    client = client_of(result.path)
    client.cookies.set("trialwright-9999", TOKEN)
    assert client.get(api(result, "summary"), headers={"Host": "localhost:9999"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:8001", "https://127.0.0.1:8000", "null"])
def test_another_origin_is_refused_also_of_another_port(client, result, origin):
    assert client.get(api(result, "summary"), headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_from_another_site_is_refused_even_with_the_cookie(client, result, site):
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "cors"}
    assert client.get(api(result, "summary"), headers=headers).status_code == 403
    assert client.get("/", headers={**headers, "Sec-Fetch-Mode": "navigate"}).status_code == 403


def test_a_link_with_the_token_may_be_on_another_page(client):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/", params={"token": TOKEN}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "..%2fsecurity.py", "%252e%252e%252fsecurity.py", "..\\security.py", "..%5csecurity.py", "../security.py",
        "%2e%2e/security.py", "/etc/passwd", "%00", "index.html/../../security.py",
    ],
)  # fmt: skip
def test_only_the_files_of_the_page_are_served(client, name):
    assert client.get(f"/assets/{name}").status_code == 404


@pytest.mark.parametrize("name", ["..", "%2e%2e", "..%2f..", "%252e%252e", "x", "."])
def test_only_runs_of_the_directory_are_shown(result, name):
    assert client_of(result.path.parent).get(f"/api/runs/{name}/summary").status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(client, result, method):
    assert client.request(method, api(result, "summary"), headers=OWN).status_code == 405


def test_a_websocket_is_refused(client, result):
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), client.websocket_connect(api(result, "events")):
        pass


@pytest.mark.parametrize("path", ["/", "/assets/main.js", "/api/runs", "/nothing"])
def test_each_answer_has_the_policy_of_the_page(client, path):
    headers = client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers


def test_a_query_that_is_too_long_is_refused(client, result):
    assert client.get(api(result, "trials"), params={"where": "x" * 9_000}).status_code == 414


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("trials", {"where": "lr <"}),
        ("trials", {"sort": "no such"}),
        ("trials", {"limit": "-1"}),
        ("trials", {"offset": "1e3"}),
        ("timeline", {"from": "soon"}),
        ("curves", {"metric": 'a"b'}),
        ("points", {"metric": "no such"}),
        ("trials/999", {}),
        ("what-if", {"eta": "1", "max_t": "9"}),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(client, result, name, given):
    answer = client.get(api(result, name), params=given)
    assert answer.status_code == 400
    assert answer.json()["problem"]


def test_what_if_is_replayed(client, result):
    answer = client.get(api(result, "what-if"), params={"eta": "2", "max_t": "3"}).json()
    assert answer["recorded_best"] == result.best_trial.best[0]
    assert answer["saved_steps"] > 0


def test_a_list_has_each_run_with_its_best_value(result, tmp_path):
    make_run(tmp_path, name="one", num_samples=3)
    two = make_run(tmp_path, name="two", num_samples=4)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "journal.sqlite").write_bytes(b"no database")
    listed = {run["name"]: run for run in client_of(tmp_path).get("/api/runs").json()["runs"]}
    assert (listed["two"]["best"], listed["two"]["trials"]) == (two.best_trial.best[0], 4)
    assert listed["one"]["state"] == "finished"
    assert listed["broken"]["state"] == "unreadable"


# Acting ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["stop", "enqueue", "add-samples", "pause", "continue"])
def test_without_control_the_page_is_read_only(client, result, name):
    answer = client.post(api(result, name), headers=OWN, json={"trial": None, "config": {}})
    assert answer.status_code == 403
    assert not (result.path / inbox.NAME).exists()


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://evil.example"}, {"Origin": "null"}])
def test_a_request_of_another_page_does_not_reach_a_run(result, headers):
    client = client_of(result.path, control=True)
    assert client.post(api(result, "stop"), headers=headers, json={"trial": None}).status_code == 403
    assert not (result.path / inbox.NAME).exists()


def test_a_form_is_no_request(result):
    client = client_of(result.path, control=True)
    assert client.post(api(result, "enqueue"), headers={"Origin": BASE}, data={"config": "{}"}).status_code == 415
    large = b'{"config": "' + b"x" * LARGEST_BODY + b'"}'
    assert client.post(api(result, "enqueue"), headers=OWN, content=large).status_code == 413


@pytest.mark.parametrize("body", [{}, {"config": 3}, {"config": {"lr": 7}}, {"config": {"lrr": 0.5}}, []])
def test_a_configuration_outside_the_space_is_refused(result, body):
    answer = client_of(result.path, control=True).post(api(result, "enqueue"), headers=OWN, json=body)
    assert answer.status_code == 400
    assert not (result.path / inbox.NAME).exists()


def test_with_control_a_trial_is_enqueued_and_the_run_is_stopped(tmp_path):
    began, tried = threading.Event(), []

    def objective(config):
        tried.append(config["net"]["x"])
        began.set()
        for _ in range(6_000):
            report(loss=config["net"]["x"])
            threading.Event().wait(0.01)

    engine = Engine(
        objective,
        {"net": {"x": space.uniform(0, 1)}},
        metric="loss",
        num_samples=1,
        max_concurrent_trials=1,
        executor="local",
        storage=tmp_path,
        verbose=0,
    )
    results = []
    thread = threading.Thread(target=lambda: results.append(engine.run()))
    thread.start()
    assert began.wait(60)
    [path] = tmp_path.iterdir()
    client = client_of(path, control=True)
    where = f"/api/runs/{path.name}"
    assert client.get(f"{where}/summary").json()["state"] == "running"
    assert client.post(f"{where}/enqueue", headers=OWN, json={"config": {"net/x": 0.125}}).json()["waits"] is False
    assert client.post(f"{where}/pause", headers=OWN, json={"trial": None}).status_code == 200
    assert client.post(f"{where}/continue", headers=OWN, json={"trial": None}).status_code == 200
    for wrong in ({}, {"count": 0}, {"count": "1"}, {"count": True}):
        assert client.post(f"{where}/add-samples", headers=OWN, json=wrong).status_code == 400
    assert client.post(f"{where}/add-samples", headers=OWN, json={"count": 1}).status_code == 200
    assert client.post(f"{where}/stop", headers=OWN, json={}).status_code == 400
    assert client.post(f"{where}/stop", headers=OWN, json={"trial": 0}).status_code == 200
    for _ in range(600):
        if 0.125 in tried and client.get(f"{where}/summary").json()["wanted"] == 2:
            break
        threading.Event().wait(0.05)
    assert client.post(f"{where}/stop", headers=OWN, json={"trial": None}).status_code == 200
    thread.join(60)
    assert 0.125 in tried
    assert [trial.outcome for trial in results[0]] == ["stopped", "stopped"]  # the third has not begun
    assert client.post(f"{where}/stop", headers=OWN, json={"trial": None}).status_code == 400


# Events ---------------------------------------------------------------------------------------------------------------


def test_an_event_has_the_last_number_of_the_journal_as_its_id(run):
    async def first(since):
        events = live.changes(run, since, {"control": False})
        try:
            assert (await anext(events)).startswith("retry:")
            return await asyncio.wait_for(anext(events), 1)
        except TimeoutError:
            return None
        finally:
            await events.aclose()

    event = asyncio.run(first(None))
    number, kind, data = re.fullmatch(r"id: (\d+)\nevent: (\w+)\ndata: (.*)\n\n", event).groups()
    assert (int(number), kind) == (run.index.seq, "change")
    assert json.loads(data)["seq"] == run.index.seq
    assert asyncio.run(first(run.index.seq)) is None  # a page that has it all gets nothing
    assert asyncio.run(first(run.index.seq - 1)) is not None


def test_a_limited_number_of_pages_may_be_open(result, monkeypatch):
    monkeypatch.setattr("trialwright.page.server.MOST_PAGES", 0)
    assert MOST_PAGES > 0
    assert client_of(result.path).get(api(result, "events")).status_code == 429


def test_a_trial_is_shown_with_the_comments_on_it(tmp_path):
    run = make_run(tmp_path, num_samples=2)
    trialwright.comment(run.path, HOSTILE, trial=1)
    client = client_of(run.path)
    told = [client.get(api(run, f"trials/{trial}")).json() for trial in range(2)]
    assert [[text for _, text in each["comments"]] for each in told] == [[], [HOSTILE]]
    assert told[1]["directory"] == str(run.path.resolve() / "trials" / "000001")


# CSV ------------------------------------------------------------------------------------------------------------------


def rows_of(answer):
    assert answer.headers["content-disposition"].endswith(".csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_all_trials_can_be_downloaded_as_csv(client, result, monkeypatch):
    monkeypatch.setattr(csv_file, "PART", 7)
    rows = rows_of(client.get(api(result, "csv")))
    assert [int(row["id"]) for row in rows] == list(range(40))
    assert [float(row["lr"]) for row in rows] == [trial.config["lr"] for trial in result]
    assert any(row["error"].endswith(HOSTILE) for row in rows)


def test_a_csv_file_has_the_trials_that_meet_the_filter(client, result):
    rows = rows_of(client.get(api(result, "csv"), params={"where": "outcome = stopped"}))
    assert [int(row["id"]) for row in rows] == [trial.id for trial in result if trial.outcome == "stopped"]


def test_a_filter_that_cannot_be_read_is_refused_before_the_file_begins(client, result):
    answer = client.get(api(result, "csv"), params={"where": "nothing = 3"})
    assert answer.status_code == 400
    assert "nothing" in answer.json()["problem"]


# Saved ----------------------------------------------------------------------------------------------------------------


def test_a_saved_page_holds_no_name_that_could_end_its_data(client, result):
    answer = client.get(api(result, "save"))
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert HOSTILE not in answer.text
    [data] = re.findall(r'<script type="application/json" id="saved">(.*?)</script>', answer.text, re.DOTALL)
    known = json.loads(data)
    assert known["summary"]["name"] == "shown <b>"
    assert len(known["trials"]["rows"]) == 40
    assert f"trials/{result.best_trial.id}" in known["details"]
    assert "<b>" not in answer.text


def test_a_saved_page_asks_for_nothing(client, result):
    text = client.get(api(result, "save")).text
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*/assets', text)
    assert "default-src 'none'" in text
    assert "unsafe" not in text.partition("<style>")[0]


def test_all_top_level_names_of_the_modules_are_unique():
    from trialwright.page.save import MODULES

    assets = Path(live.__file__).parent / "assets"
    assert {file.name for file in assets.glob("*.js")} == {*MODULES, "uPlot.iife.min.js"}
    names = [
        name
        for module in MODULES
        for name in re.findall(
            r"^(?:export )?(?:async )?(?:const|let|function) (\w+)", (assets / module).read_text(), re.MULTILINE
        )
    ]
    assert sorted(names) == sorted(set(names))
