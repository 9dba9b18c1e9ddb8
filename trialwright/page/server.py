"""The routes of the page: files of ours, answers about runs, and, with control, requests to them."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from importlib import resources
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from trialwright.errors import TrialwrightError
from trialwright.page import acts, charts, live, queries, timeline
from trialwright.page.csv_file import csv_parts
from trialwright.page.details import details
from trialwright.page.importance import told_importance
from trialwright.page.run import ShownRun, patiently
from trialwright.page.runs import Runs
from trialwright.page.save import saved
from trialwright.page.security import LARGEST_BODY, App, Guard

MOST_PAGES = 32  # that may be open at the same time
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".LICENSE": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
}


def app(runs: Runs, token: str, *, control: bool = False, is_over: Callable[[], bool] = bool) -> App:
    """Return the page as an ASGI application.

    Args:
        runs: which runs it shows.
        token: the secret that a request must bring.
        control: whether the page may send requests to runs.
        is_over: returns whether the server ends: open pages then hear no more.
    """
    page = _Page(runs, control=control, is_over=is_over)
    return Guard(Starlette(routes=page.routes, exception_handlers=_HANDLERS), token)


class _Page:
    def __init__(self, runs: Runs, *, control: bool, is_over: Callable[[], bool]) -> None:
        self._runs, self._control, self._is_over, self._open = runs, control, is_over, 0
        self._assets = {
            file.name: file.read_bytes() for file in resources.files(__package__).joinpath("assets").iterdir()
        }

    @property
    def routes(self) -> list[Route]:
        about = {
            "summary": lambda run, _: self._summary(run),
            "history": lambda run, given: charts.history(run, _number(given, "width", 600)),
            "trials": _table,
            "failures": lambda run, _: queries.failures(run),
            "curves": lambda run, given: charts.curves(run, given.get("metric", ""), _number(given, "width", 600)),
            "rungs": lambda run, _: charts.rungs(run),
            "timeline": lambda run, given: timeline.timeline(run, _float(given, "from"), _float(given, "to")),
            "points": lambda run, given: charts.points(run, given.get("metric", "")),
            "front": lambda run, _: charts.front(run),
            "importance": lambda run, _: told_importance(run),
            "what-if": lambda run, given: acts.replayed(run, _number(given, "eta", 0), _number(given, "max_t", 0)),
        }
        answers = [Route(f"/api/runs/{{run}}/{name}", self._answering(answer)) for name, answer in about.items()]
        return [
            Route("/", self._html),
            Route("/run/{run}", self._html),
            Route("/assets/{name}", self._asset),
            Route("/api/runs", self._list),
            Route("/api/runs/{run}/events", self._events),
            Route("/api/runs/{run}/trials/{trial:int}", self._trial),
            Route("/api/runs/{run}/save", self._saved),
            Route("/api/runs/{run}/csv", self._csv),
            Route("/api/runs/{run}/stop", self._requesting(acts.stop), methods=["POST"]),
            Route("/api/runs/{run}/pause", self._requesting(acts.pause), methods=["POST"]),
            Route("/api/runs/{run}/continue", self._requesting(acts.go_on), methods=["POST"]),
            Route("/api/runs/{run}/add-samples", self._requesting(acts.add_samples), methods=["POST"]),
            Route("/api/runs/{run}/enqueue", self._requesting(acts.enqueue), methods=["POST"]),
            *answers,
        ]

    async def _html(self, request: Request) -> Response:
        return Response(self._assets["index.html"], media_type=TYPES[".html"])

    async def _asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._assets:  # by its whole name: no path is made of it
            raise HTTPException(404, "there is no such file")
        return Response(self._assets[name], media_type=TYPES[PurePosixPath(name).suffix])

    async def _list(self, request: Request) -> Response:
        listed = await asyncio.to_thread(self._runs.listed)
        return JSONResponse({"runs": listed, "is_one": self._runs.is_one, "control": self._control})

    async def _events(self, request: Request) -> Response:
        if self._open >= MOST_PAGES:
            raise HTTPException(429, f"{MOST_PAGES} pages are open already: close one")
        run = await self._run(request)
        last = request.headers.get("last-event-id", "")
        since = int(last) if last.isascii() and last.isdigit() else None
        changes = live.changes(run, since, self._extra(run), self._is_over)
        return StreamingResponse(self._counted(changes), media_type="text/event-stream")

    async def _counted(self, changes: AsyncIterator[str]) -> AsyncIterator[str]:
        self._open += 1
        try:
            async for change in changes:
                yield change
        except (ValueError, TrialwrightError) as error:  # the run's directory was removed, or its journal is damaged
            yield f"event: problem\ndata: {json.dumps(str(error))}\n\n"
        finally:
            self._open -= 1

    async def _trial(self, request: Request) -> Response:
        run = await self._run(request)
        return await _answer(details, run, request.path_params["trial"])

    def _answering(self, answer: Callable[[ShownRun, Mapping[str, str]], Any]) -> Callable[[Request], Any]:
        async def answering(request: Request) -> Response:
            return await _answer(answer, await self._run(request), request.query_params)

        return answering

    async def _saved(self, request: Request) -> Response:
        run = await self._run(request)
        page = await asyncio.to_thread(saved, run, self._assets)
        return Response(page, media_type=TYPES[".html"], headers=_as_file(run, "html"))

    async def _csv(self, request: Request) -> Response:
        run = await self._run(request)
        parts = await asyncio.to_thread(patiently, csv_parts, run, request.query_params.get("where", ""))
        return StreamingResponse(parts, media_type="text/csv; charset=utf-8", headers=_as_file(run, "csv"))

    def _requesting(self, act: Callable[[ShownRun, Mapping[str, Any]], Any]) -> Callable[[Request], Any]:
        async def requesting(request: Request) -> Response:
            if not self._control:
                raise HTTPException(403, "this page is read-only: start it with --control")
            body = await _body(request)
            return await _answer(act, await self._run(request), body)

        return requesting

    async def _run(self, request: Request) -> ShownRun:
        run = await asyncio.to_thread(self._runs.get, request.path_params["run"])
        if run is None:
            raise HTTPException(404, f"there is no run {request.path_params['run']!r}")
        if not run.index.filled:  # the first to ask: what it asks for needs some trials
            await asyncio.to_thread(patiently, run.index.update)
        return run

    def _summary(self, run: ShownRun) -> queries.Answer:
        if run.index.is_filled:
            run.index.update()
        return queries.summary(run) | self._extra(run)

    def _extra(self, run: ShownRun) -> queries.Answer:
        return {
            "control": self._control,
            "is_one": self._runs.is_one,
            "replays": acts.can_replay(run.settings.get("scheduler")),
        }


def _as_file(run: ShownRun, ending: str) -> dict[str, str]:
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(run.path.name)}.{ending}"}


async def _answer(answer: Callable[..., Any], *arguments: object) -> Response:
    return JSONResponse(await asyncio.to_thread(patiently, answer, *arguments))


async def _body(request: Request) -> dict[str, Any]:
    """Read a body of JSON, not longer than any that the page sends."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise HTTPException(415, "a request is JSON")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"a request has at most {LARGEST_BODY} bytes")
    answer = json.loads(body)
    if not isinstance(answer, dict):
        raise TypeError("a request is a JSON object")
    return answer


def _table(run: ShownRun, given: Mapping[str, str]) -> queries.Answer:
    return queries.trials(
        run,
        filter_=given.get("where", ""),
        sort=given.get("sort", "best"),
        direction=given.get("direction", ""),
        offset=_number(given, "offset", 0),
        limit=_number(given, "limit", 50),
    )


def _number(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{name} must be a number from 0 on, not {text[:40]!r}")
    return int(text)


def _float(given: Mapping[str, str], name: str) -> float | None:
    try:
        return float(given[name]) if given.get(name) else None
    except ValueError as error:
        raise ValueError(f"{name} must be a number, not {given[name][:40]!r}") from error


def _refused(status: int, _: Request, error: Exception) -> Response:
    return JSONResponse({"problem": str(error)}, status)


def _not_found(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"problem": error.detail}, error.status_code)


_HANDLERS: dict[Any, Callable[[Request, Exception], Response]] = {
    HTTPException: _not_found,
    ValueError: functools.partial(_refused, 400),
    TypeError: functools.partial(_refused, 400),
    TrialwrightError: functools.partial(_refused, 500),
}
