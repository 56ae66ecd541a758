"""An async corner of the studio: what its courses and kilns say, as JSON for other programs.

    celadon studio:app --mount /api=corner:app

The studio stays synchronous. What is asked at once, or lasts for hours, is asyncio's here,
over the same store and the same town: a call of theirs that waits holds up its task alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from celadon import aio
from fastapi import FastAPI, HTTPException, WebSocket, WebSocketDisconnect
from studio import app as studio
from studio import town
from studio.pages import shown
from studio.store import Store

app = FastAPI(title="The studio")
SECONDS = 0.5  # between two looks at a course


def _store() -> Store:
    return studio.extensions["store"]  # type: ignore[no-any-return]


@app.get("/courses")
async def courses() -> list[dict[str, Any]]:
    return [shown(course) for course in _store().courses()]


@app.get("/courses/{id}")
async def course(id: int) -> dict[str, Any]:
    found = _store().course(id)
    if found is None:
        raise HTTPException(404, "There is no such course.")
    return shown(found)


@app.get("/kilns")
async def kilns() -> dict[str, int]:
    """All of them at once: each is asked by a greenlet."""
    outside = studio.extensions["town"]
    calls = [aio.green(outside.degrees, name) for name in town.KILNS]
    try:
        degrees = await asyncio.gather(*calls)
    except town.Unreachable:
        raise HTTPException(502, "The kilns do not answer.") from None
    return dict(zip(town.KILNS, degrees, strict=True))


@app.websocket("/courses/{id}/live")
async def live(socket: WebSocket, id: int) -> None:
    """Free places of a course, told again whenever they change."""
    await socket.accept()
    telling = asyncio.create_task(_tell(socket, id))
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()
    telling.cancel()


async def _tell(socket: WebSocket, id: int) -> None:
    told = None
    while True:
        found = _store().course(id)
        now = found.free if found else 0
        if now != told:
            await socket.send_json({"free": now})
            told = now
        await asyncio.sleep(SECONDS)
