"""Suites of others, as they are in their source distributions, on our loop as on asyncio's.
`python -m tests.suites`."""
