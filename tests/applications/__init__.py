"""Applications that others wrote, unmodified: served as gunicorn serves them, then under many
clients. `python -m tests.applications`."""
