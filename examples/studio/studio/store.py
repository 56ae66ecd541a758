"""Courses and bookings, in whichever database there is."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Sequence
from hashlib import sha256

from sqlalchemy import ForeignKey, create_engine, func, select, text, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.types import Double, String

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
    title: Mapped[str] = mapped_column(String(80), unique=True)
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
    # Of the form and what was in it: sent twice, it books once.
    form: Mapped[str] = mapped_column(String(64), unique=True)
    # When its letter may be written, in seconds since 1970; none once it is.
    letter_after: Mapped[float | None] = mapped_column(Double, index=True)
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
        # Other workers do the same at this moment: one makes the tables, one fills them.
        for others_may in (True, True, False):
            try:
                self._prepare()
                break
            except DBAPIError:
                if not others_may:
                    raise

    def _prepare(self) -> None:
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

    def book(self, course_id: int, name: str, token: str) -> None:
        """Takes a place; raises `Full`. Of two who want the last one, one gets it.

        The same booking with the same `token` is one booking.
        """
        form = sha256(f"{token}/{course_id}/{name}".encode()).hexdigest()
        try:
            with Session(self.engine) as session, session.begin():
                if session.scalar(select(Booking.id).where(Booking.form == form)):
                    return
                done = session.execute(
                    update(Course)
                    .where(Course.id == course_id, Course.taken < Course.places)
                    .values(taken=Course.taken + 1)
                )
                if done.rowcount == 0:
                    raise Full
                booking = Booking(course_id=course_id, name=name, form=form)
                booking.letter_after = time.time()
                session.add(booking)
        except IntegrityError:
            pass  # the same form, at the same time

    def next_letter(self, seconds: float) -> Booking | None:
        """A booking whose letter is due. No other worker gets it for so many seconds."""
        now = time.time()
        query = select(Booking).where(Booking.letter_after < now).order_by(Booking.id)
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            for booking in session.scalars(query.limit(10)).all():
                taken = session.execute(
                    update(Booking)
                    .where(Booking.id == booking.id)
                    .where(Booking.letter_after == booking.letter_after)
                    .values(letter_after=now + seconds)
                    .execution_options(synchronize_session=False)
                )
                if taken.rowcount == 1:
                    return booking
        return None

    def is_written(self, booking: Booking) -> None:
        """The letter of a booking has been posted."""
        with Session(self.engine) as session, session.begin():
            session.execute(
                update(Booking)
                .where(Booking.id == booking.id)
                .values(letter_after=None)
            )

    def ping(self) -> None:
        """Raises where the database does not answer."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))


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
