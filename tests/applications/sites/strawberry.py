"""Strawberry: GraphQL by ASGI, its subscriptions by a WebSocket of two protocols."""

from json import dumps

from tests.applications.application import Application, Page, Place, json
from tests.applications.guest import Guest, Talk

_SITE = """
import asyncio, time
from collections.abc import AsyncGenerator
import strawberry
from strawberry.asgi import GraphQL

notes: dict[str, list[str]] = {}
seen = {"open": 0}

@strawberry.type
class Note:
    owner: str
    text: str

    @strawberry.field
    async def length(self) -> int:
        await asyncio.sleep(0)
        return len(self.text)

@strawberry.type
class Query:
    @strawberry.field
    async def notes(self, owner: str) -> list[Note]:
        return [Note(owner=owner, text=text) for text in notes.get(owner, [])]

    @strawberry.field
    def blocking(self) -> str:
        time.sleep(0.005)
        return "done"

    @strawberry.field
    def broken(self) -> str:
        raise ValueError("in a field")

    @strawberry.field
    def open(self) -> int:
        return seen["open"]

@strawberry.type
class Mutation:
    @strawberry.mutation
    async def add(self, owner: str, text: str) -> list[Note]:
        notes.setdefault(owner, []).append(text)
        return [Note(owner=owner, text=each) for each in notes[owner]]

    @strawberry.mutation
    async def clear(self, owner: str) -> int:
        return len(notes.pop(owner, []))

@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int) -> AsyncGenerator[int, None]:
        seen["open"] += 1
        try:
            for number in range(to):
                yield number
                await asyncio.sleep(0.001)
        finally:
            seen["open"] -= 1

    @strawberry.subscription
    async def fails(self) -> AsyncGenerator[int, None]:
        yield 1
        raise ValueError("in a subscription")

app = GraphQL(strawberry.Schema(Query, Mutation, Subscription))
"""

_NEW, _OLD = "graphql-transport-ws", "graphql-ws"


def _prepare(place: Place) -> None:
    place.write("site_graphql.py", _SITE)


def _asked(query: str, again: bool = True) -> Page:
    page = json("/", dumps({"query": query}))
    return page.gives(200, again=again)


def _notes(owner: str) -> Page:
    return _asked(f'{{ notes(owner: "{owner}") {{ text length }} }}')


def _opened(guest: Guest, protocol: str) -> Talk:
    talk = guest.talk("/", subprotocols=[protocol])
    talk.send('{"type": "connection_init", "payload": {}}')
    talk.hear()
    return talk


def _subscription(kind: str, name: str, query: str) -> str:
    return dumps({"id": name, "type": kind, "payload": {"query": query}})


def _subscribes(guest: Guest) -> None:
    talk = _opened(guest, _NEW)
    talk.send(_subscription("subscribe", guest.mark, "subscription { count(to: 5) }"))
    talk.hear(6)
    talk.send(_subscription("subscribe", "b", "subscription { fails }"))
    talk.hear(2)
    talk.send(_subscription("subscribe", "c", "{ blocking }"), '{"type": "ping"}')
    guest.hear(f"{sorted(str(talk.next()) for _ in range(4))}")
    talk.send("no json")
    talk.hear()


def _subscribes_in_the_old_way(guest: Guest) -> None:
    talk = _opened(guest, _OLD)
    talk.send(_subscription("start", "a", "subscription { count(to: 3) }"))
    talk.hear(4)
    talk.send('{"type": "connection_terminate"}')
    talk.hear()


def _is_unknown(guest: Guest) -> None:
    """Every way to be closed with a code of the protocol's."""
    talk = guest.talk("/", subprotocols=[_NEW])
    talk.send(_subscription("subscribe", "a", "{ blocking }"))
    talk.hear()
    talk = _opened(guest, _NEW)
    talk.send('{"type": "connection_init"}')
    talk.hear()
    talk = guest.talk("/", subprotocols=["nonsense"])
    talk.hear()


def _leaves(guest: Guest) -> None:
    for protocol, kind in ((_NEW, "subscribe"), (_OLD, "start")):
        talk = _opened(guest, protocol)
        talk.send(_subscription(kind, "a", "subscription { count(to: 100000) }"))
        talk.next()
        talk.leave()


_MANY = "{ " + " ".join(f"f{number}: blocking" for number in range(20)) + " }"

APPLICATION = Application(
    name="strawberry",
    packages=("strawberry-graphql[asgi]", "python-multipart"),
    target=("site_graphql:app",),
    prepare=_prepare,
    peer="uvicorn",
    pages=(
        Page("/", fields=("Accept: text/html",)),
        Page("/?query=%7Bblocking%7D"),
        Page("/", "PUT"),
        _notes("nobody"),
        _asked(_MANY),
        _asked("{ broken blocking }"),
        _asked("{ nothing }"),
        _asked('mutation { add(owner: "page", text: "a") { length } }', again=False),
        _asked("{ __schema { types { name fields { name } } } }"),
        json("/", "no json"),
        json("/", "{}"),
    ),
    story=(
        _asked(
            'mutation { add(owner: "$mark", text: "$mark-a") { text } }', again=False
        ),
        _asked('mutation { add(owner: "$mark", text: "b") { text } }', again=False),
        _notes("$mark").gives(200, "$mark-a", '"b"'),
        _asked('mutation { clear(owner: "$mark") }').gives(200, '"clear":2'),
        _notes("$mark").gives(200, '"notes":[]'),
    ),
    acts=(_subscribes, _subscribes_in_the_old_way, _is_unknown, _leaves),
    rest=Page("/?query=%7Bopen%7D", shows=('"open":0',)),
)
