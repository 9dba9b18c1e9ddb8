"""Who may see the page: the host and origin of a request, the token, and the headers of every answer.

The page is for the person at this machine. Other programs may send requests here too: any web page that is open in a
browser, by a name of its own that leads to 127.0.0.1 (DNS rebinding), or by a link. So every request must name this
host, come from this page, and bring the token, first in the address and then in a cookie.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

HOSTS = ("127.0.0.1", "localhost")
LONGEST_QUERY, LARGEST_BODY = 8_192, 65_536  # bytes
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Lets only requests of the page's own user through to the app.

    Args:
        app: what answers them.
        token: the secret that a request must bring.
    """

    def __init__(self, app: App, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a websocket: there are none
            await send({"type": "websocket.close", "code": 1008})
            return
        request = Request(scope, receive)
        refusal = self._refusal(request)
        if refusal is not None:
            answer: Response = PlainTextResponse(refusal[1], refusal[0])
            await answer(scope, receive, _with(HEADERS, send))
            return
        headers = dict(HEADERS)
        if "token" in request.query_params:  # it was right: from now on the cookie is enough
            headers["Set-Cookie"] = f"{cookie_name(request)}={self._token}; HttpOnly; SameSite=Strict; Path=/"
        await self._app(scope, receive, _with(headers, send))

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        """Return the status and the reason if a request is refused."""
        host = request.headers.get("host", "")
        if host.rpartition(":")[0].lower() not in HOSTS and host.lower() not in HOSTS:
            return HTTPStatus.FORBIDDEN, "this page is only for the machine that it runs on"
        if not _is_own(request, host):
            return HTTPStatus.FORBIDDEN, "this request comes from another page"
        if not self._has_token(request):
            return HTTPStatus.UNAUTHORIZED, "open the address that the command has printed: it has the token"
        if len(request.scope["query_string"]) > LONGEST_QUERY:
            return HTTPStatus.REQUEST_URI_TOO_LONG, "the query is too long"
        if request.method not in ("GET", "HEAD", "POST"):
            return HTTPStatus.METHOD_NOT_ALLOWED, "there is no such method"
        return None

    def _has_token(self, request: Request) -> bool:
        told = request.query_params.get("token") or request.cookies.get(cookie_name(request)) or ""
        return hmac.compare_digest(told.encode(), self._token.encode())


def _is_own(request: Request, host: str) -> bool:
    """Tell whether the page itself sends a request, or a person who opens it. A cookie is also sent by pages on other
    ports of this machine, so ``SameSite`` is not enough."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if origin is not None and origin != f"http://{host}":
        return False
    if request.method == "POST":
        return origin is not None
    opens = request.headers.get("sec-fetch-mode") == "navigate" and "token" in request.query_params
    return site in (None, "same-origin", "none") or opens


def cookie_name(request: Request) -> str:
    """Return the name of the cookie: cookies do not belong to a port, and two pages may be open."""
    return f"trialwright-{request.url.port or 80}"


def _with(headers: dict[str, str], send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message.get("headers", ())]
            names = {name.lower().encode() for name in headers}
            kept = [(name, value) for name, value in kept if name.lower() not in names]
            message["headers"] = kept + [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send(message)

    return sending
