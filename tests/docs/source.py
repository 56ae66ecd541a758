"""A Python file that grows, as a page goes on about it."""

from __future__ import annotations

import ast


def _keys(node: ast.stmt) -> list[str]:
    """What a statement of a file is known by; an import by each of its names."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=[ast.Name(id=name)]):
            return [name]
        case ast.ImportFrom(module=module, names=names):
            return [f"from {module} import {each.name}" for each in names]
        case ast.Import(names=names):
            return [f"import {each.name}" for each in names]
        case ast.Expr(value=ast.Constant()):
            return ['"""']
        case _:
            return [ast.unparse(node)]


class Source:
    """Statements by what they are known by; a new one takes the place of the old."""

    def __init__(self, text: str = "") -> None:
        self._imports: dict[str, str] = {}
        self._rest: dict[str, str] = {}
        self.add(text)

    @property
    def statements(self) -> dict[str, str]:
        return self._imports | self._rest

    def add(self, text: str) -> None:
        """New statements go to the end, new imports behind the imports."""
        for node in ast.parse(text).body:
            is_import = isinstance(node, ast.Import | ast.ImportFrom)
            for key in _keys(node):
                known = self._imports if is_import else self._rest
                known[key] = key if is_import else ast.unparse(node)

    def text(self) -> str:
        return "\n".join(self.statements.values()) + "\n"
