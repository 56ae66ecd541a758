# Of a checkout that cannot be written to, or shall not: `make test BUILD=/some/folder`.
# Sources are copied there, changed ones only, and each verb is that of the copy. So there
# is no cache, no compiled file and no environment that could end up here.

.DEFAULT_GOAL := help

%: copy-sources
	@$(MAKE) --no-print-directory -C "$(BUILD)" BUILD= $@

.PHONY: copy-sources
copy-sources:
	@"$(PYTHON)" -B tools/copy_sources.py "$(BUILD)"

Makefile tools/elsewhere.mk: ;
