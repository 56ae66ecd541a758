"""What the studio counts, with prometheus_client as on any other server."""

from prometheus_client import Counter, Histogram

BOOKINGS = Counter("studio_bookings", "Places that were wanted.", ["result"])
LETTERS = Counter("studio_letters", "Letters that were to be written.", ["result"])
KILNS = Histogram("studio_kilns_seconds", "Time until all kilns have answered.")
