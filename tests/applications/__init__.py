"""Applications that others wrote, unmodified: served as gunicorn or uvicorn serves them, then under
many clients. `python -m tests.applications`."""
