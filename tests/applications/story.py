"""What one user does from the first page to the last, with a mark that nobody else has."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence

from tests.applications.application import Page
from tests.applications.visitor import Unanswered, Visitor
from tests.support.raw import Response

_SAID = 600  # characters of an answer that is wrong


class Teller:
    """Tells `story` again and again; its marks begin with `mark`."""

    def __init__(self, port: int, story: Sequence[Page], mark: str, client: int):
        self.told = 0
        self.answered = 0  # of the last time
        self._port = port
        self._story = story
        self._mark = mark
        self._client = client

    def tell(self, before: Callable[[Visitor, Page], None] | None = None) -> list[str]:
        """What is wrong with the first answer that is not as it should be, if there is one;
        `before` is called before each request."""
        self.told += 1
        self.answered = 0
        with Visitor(self._port, keeps=True) as visitor:
            mark = f"{self._mark}x{self.told}x"  # none begins as another does
            visitor.kept = {
                "mark": mark,
                "client": str(self._client),
                "basic": b64encode(f"user{self._client}:secret".encode()).decode(),
            }
            for number, page in enumerate(self._story, 1):
                if before is not None:
                    before(visitor, page)
                try:
                    asked = page.filled(visitor.kept)
                    found = _faults(asked, visitor.ask(page))
                except (Unanswered, AssertionError) as error:
                    found = [str(error)]
                self.answered += 1
                if found:
                    return [f"step {number}, {asked}: {each}" for each in found]
        return []


def _faults(page: Page, response: Response) -> list[str]:
    text = response.body.decode("latin-1")
    fields = "".join(f"{name}: {value}\n" for name, value in response.headers)
    found = []
    if response.status != page.status and (page.status or response.status >= 400):
        found.append(f"status {response.status}, not {page.status or 'good'}")
    found += [f"lacks {each!r}" for each in page.shows if each not in fields + text]
    found += [f"shows {each!r}" for each in page.lacks if each in fields + text]
    if found:
        found[-1] += f"; it is\n{fields}\n{text[:_SAID]}"
    return found
