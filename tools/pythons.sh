# Where CPythons are to be had. To be read by other scripts.
# shellcheck shell=bash
ALL_PYTHONS=(3.11 3.12 3.13 3.14 3.15)

# On this machine: the distribution's, pyenv's, or one on PATH, that has a module where one is named;
# nothing where there is none.
find_python() {  # VERSION [MODULE]
  local found
  for found in "/usr/bin/python$1" $(ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python 2>/dev/null) \
      "$(command -v "python$1" 2>/dev/null || true)"; do
    if [ -x "$found" ] && "$found" -c "import ${2:-sys}" 2>/dev/null; then echo "$found"; return; fi
  done
}

# The release of Debian that has it.
suite_of() {
  case $1 in
    3.11) echo bookworm ;;
    3.13) echo trixie ;;
    3.14 | 3.15) echo forky ;;
  esac
}

# Says in VERSIONS which are named by the first words, all where none is, and in WORDS what
# follows `--`.
read_versions() {
  VERSIONS=() WORDS=()
  while [ $# -gt 0 ]; do
    case $1 in
      3.1[1-5]) VERSIONS+=("$1"); shift ;;
      --) shift; WORDS=("$@"); break ;;
      *) echo "no CPython $1 here: one of ${ALL_PYTHONS[*]}" >&2; exit 2 ;;
    esac
  done
  [ ${#VERSIONS[@]} -gt 0 ] || VERSIONS=("${ALL_PYTHONS[@]}")
}
