PYTHON ?= $(shell [ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo /usr/bin/python3 || echo python3)
VENV := .venv

.PHONY: build
build:
	tools/install-system.sh build
	PYTHON=$(PYTHON) VENV=$(VENV) tools/build.sh
