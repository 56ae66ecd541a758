"""Courses and bookings, in whichever database there is."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence

from sqlalchemy import ForeignKey, create_engine, func, select, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.types import String

_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}
_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MariaDB"}


class Base(DeclarativeBase):
    """What is stored."""


class Course(Base):
    """An evening at the wheel."""

    __tablename__ = "courses"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(80))
    text: Mapped[str] = mapped_column(String(400))
    day: Mapped[datetime.date]
    places: Mapped[int]
    taken: Mapped[int] = mapped_column(default=0)

    @property
    def free(self) -> int:
        return self.places - self.taken


class Booking(Base):
    """A place that somebody has."""

    __tablename__ = "bookings"
    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id"), index=True)
    name: Mapped[str] = mapped_column(String(60))
    course: Mapped[Course] = relationship()


class Full(Exception):
    """All places of a course are taken."""


def find_url(env: dict[str, str], folder: str) -> URL:
    """The database that the environment names; SQLite in `folder` otherwise."""
    given = env.get("STUDIO_POSTGRES") or env.get("STUDIO_MARIADB")
    if not given:
        path = env.get("STUDIO_SQLITE")
        if not path:
            os.makedirs(folder, exist_ok=True)
            path = os.path.join(folder, "studio.sqlite3")
        return URL.create("sqlite", database=path)
    url = make_url(given.replace("postgres://", "postgresql://", 1))
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


class Store:
    """All that the pages ask of a database."""

    def __init__(self, url: URL) -> None:
        options = {} if url.drivername == "sqlite" else {"pool_pre_ping": True}
        self.engine = create_engine(
            url, pool_size=20, max_overflow=0, pool_timeout=10, **options
        )
        Base.metadata.create_all(self.engine)
        with Session(self.engine) as session, session.begin():
            if session.scalar(select(func.count()).select_from(Course)) == 0:
                session.add_all(_first_courses())

    @property
    def name(self) -> str:
        """What a person calls the database."""
        return _NAMES[self.engine.dialect.name]

    def courses(self) -> Sequence[Course]:
        with Session(self.engine) as session:
            return session.scalars(select(Course).order_by(Course.day)).all()

    def course(self, id: int) -> Course | None:
        with Session(self.engine) as session:
            return session.get(Course, id)

    def bookings(self, course_id: int) -> Sequence[Booking]:
        query = select(Booking).where(Booking.course_id == course_id)
        with Session(self.engine) as session:
            return session.scalars(query.order_by(Booking.id)).all()

    def book(self, course_id: int, name: str) -> None:
        """Takes a place; raises `Full`. Of two who want the last one, one gets it."""
        with Session(self.engine) as session, session.begin():
            done = session.execute(
                update(Course)
                .where(Course.id == course_id, Course.taken < Course.places)
                .values(taken=Course.taken + 1)
            )
            if done.rowcount == 0:
                raise Full
            session.add(Booking(course_id=course_id, name=name))


def _first_courses() -> list[Course]:
    today = datetime.date.today()
    rows = [
        (
            "First bowl",
            "Centre, open, pull. You leave with one bowl and wet sleeves.",
            8,
        ),
        ("Celadon glazes", "Iron, ash and patience: three greens from one bucket.", 6),
        (
            "Trimming feet",
            "Turn yesterday's bowls over and give them something to stand on.",
            6,
        ),
        ("Raku night", "Out of the kiln at a thousand degrees, into the sawdust.", 10),
    ]
    return [
        Course(
            title=title, text=text, places=places, day=today + datetime.timedelta(7 * n)
        )
        for n, (title, text, places) in enumerate(rows, 1)
    ]
