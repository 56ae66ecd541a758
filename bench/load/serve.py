"""Starts servers that have no command of their own: serve.py NAME MODULE:ATTR PORT."""

import importlib
import sys

name, target, port = sys.argv[1:4]
sys.path.insert(0, ".")
module, attribute = target.split(":")
app = getattr(importlib.import_module(module), attribute)

if name == "bjoern":
    import bjoern

    bjoern.run(app, "127.0.0.1", int(port))
elif name == "fastpysgi":
    import fastpysgi

    fastpysgi.run(app, "127.0.0.1", int(port))
