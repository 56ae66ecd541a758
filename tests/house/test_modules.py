"""Modules of Python: no circle of imports, and each short enough to be read at once."""

from __future__ import annotations

from pathlib import Path

from tools import check_modules


def package_of(tmp_path: Path, modules: dict[str, str]) -> Path:
    package = tmp_path / "shop"
    for name, text in {"__init__.py": "", **modules}.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    return package


def test_no_module_is_too_long_and_none_imports_itself_by_others() -> None:
    assert check_modules.violations() == []


def test_a_circle_is_found_wherever_its_imports_stand(tmp_path: Path) -> None:
    package = package_of(
        tmp_path,
        {
            "till.py": "def pay():\n    from shop import stock\n",
            "stock.py": "import typing\nif typing.TYPE_CHECKING:\n    import shop.orders\n",
            "orders.py": "from shop.till import pay\n",
            "alone.py": "from shop import till, stock\nfrom shop.orders import pay\n",
        },
    )
    assert check_modules.violations(package) == [
        "a circle of imports: shop.orders -> shop.till -> shop.stock -> shop.orders"
    ]


def test_a_package_that_lends_names_is_no_circle_unless_one_asks_it(
    tmp_path: Path,
) -> None:
    package = package_of(
        tmp_path,
        {
            "__init__.py": "def __getattr__(_):\n    from shop.inner.desk import sell\n",
            "inner/__init__.py": "from shop.inner.desk import sell\n",
            "inner/desk.py": "from shop.inner import prices\n",
            "inner/prices.py": "from shop import _core\n",
        },
    )
    assert check_modules.violations(package) == []
    (package / "inner/prices.py").write_text("from shop import sell\n")
    assert check_modules.violations(package) == [
        "a circle of imports: shop -> shop.inner.desk -> shop.inner.prices -> shop"
    ]


def test_each_knot_is_told_by_one_circle() -> None:
    graph = {"a": {"b"}, "b": {"a", "c"}, "c": {"d"}, "d": {"c"}, "e": {"a"}}
    assert check_modules.circles(graph) == [["a", "b"], ["c", "d"]]


def test_what_is_long_and_no_table_is_told(tmp_path: Path) -> None:
    long = "x = 1\n" * (check_modules.LONGEST + 1)
    package = package_of(
        tmp_path, {"long.py": long, "short.py": long[len("x = 1\n") :]}
    )
    assert check_modules.violations(package) == [
        "long.py: 301 lines, 300 are the most for what is no table"
    ]


def test_each_table_is_there_and_long() -> None:
    for name in check_modules.TABLES:
        text = (check_modules.ROOT / "python/celadon" / name).read_text()
        assert len(text.splitlines()) > check_modules.LONGEST, f"{name} is no exception"
