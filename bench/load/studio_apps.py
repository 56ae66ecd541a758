"""The example `studio` on every kind of server: `app` as it is, `asgi` written anew for asyncio.

The second one is the same three pages with the same templates and models, over Quart,
SQLAlchemy's asyncio engine, redis.asyncio and aiohttp (whose client is the fast one).
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent.parent.parent / "examples/studio"
sys.path.insert(0, str(FOLDER))


def _make_async():
    import json
    import uuid

    import aiohttp
    import redis.asyncio
    from quart import Quart, abort, render_template
    from sqlalchemy import select
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
    from studio import pages, store, town

    made = Quart("studio", root_path=str(FOLDER / "studio"))
    made.secret_key = "bench"
    url = store.find_url(dict(os.environ), "").set(
        drivername="postgresql+psycopg_async"
    )
    engine = create_async_engine(url, pool_size=20, max_overflow=0, pool_pre_ping=True)
    cache = redis.asyncio.Redis.from_url(
        os.environ["STUDIO_REDIS"], decode_responses=True
    )
    client = None  # made where a loop runs
    always = {"server": "uvicorn", "database": "PostgreSQL", "cache": "Redis"}

    async def courses():
        kept = await cache.get("studio:courses")
        if kept is not None:
            return json.loads(kept)
        async with AsyncSession(engine) as session:
            found = await session.scalars(
                select(store.Course).order_by(store.Course.day)
            )
        listed = [pages.shown(course) for course in found.all()]
        await cache.set("studio:courses", json.dumps(listed), ex=5)
        return listed

    async def index():
        views = await cache.hgetall("studio:views")
        seen = {key: int(number) for key, number in views.items()}
        return await render_template(
            "index.html", courses=await courses(), views=seen, **always
        )

    async def course(id: int):
        async with AsyncSession(engine) as session:
            found = await session.get(store.Course, id)
        if found is None:
            abort(404)
        views = await cache.hincrby("studio:views", str(id), 1)
        query = select(store.Booking).where(store.Booking.course_id == id)
        async with AsyncSession(engine) as session:
            bookings = (await session.scalars(query.order_by(store.Booking.id))).all()
        return await render_template(
            "course.html",
            course=found,
            views=views,
            bookings=bookings,
            token=uuid.uuid4(),
            **always,
        )

    async def degrees(kiln: str) -> int:
        nonlocal client
        if client is None:
            client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        url = f"{os.environ['STUDIO_TOWN']}/kilns/{kiln}"
        async with client.get(url) as answer:
            answer.raise_for_status()
            return int(await answer.text())

    async def kiln():
        began = time.monotonic()
        found = await asyncio.gather(*map(degrees, town.KILNS))
        took = time.monotonic() - began
        shown = dict(zip(town.KILNS, found, strict=True))
        return await render_template("kiln.html", degrees=shown, took=took, **always)

    for path, view in {"/": index, "/courses/<int:id>": course, "/kiln": kiln}.items():
        made.add_url_rule(path, view_func=view)
    return made


def __getattr__(name):
    if name == "app":
        from studio import app

        return app
    if name == "asgi":
        return _make_async()
    raise AttributeError(name)
