"""`--reload`: what makes a worker pleasant to develop with, and safe to leave out.

A process of its own watches the files of the application and asks the master for a
reload; `breakpoint()` in a view leaves the worker to others; an application that cannot
be imported is a page with its traceback until it can.
"""
