"""Parses the Julia client and its example: exits with 1 where the syntax is wrong. (Signatures are made from the header by
`cargo test --test bindings`.)

    pip install tree-sitter tree-sitter-julia && python ffi-tests/julia_syntax.py"""

import pathlib
import sys

import tree_sitter
import tree_sitter_julia

ROOT = pathlib.Path(__file__).resolve().parent.parent


def faults(node):
    """Positions of what cannot be parsed."""
    if node.type == "ERROR" or node.is_missing:
        yield node.start_point
    for child in node.children:
        yield from faults(child)


def main():
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_julia.language()))
    files = sorted([*(ROOT / "clients/julia").rglob("*.jl"), *(ROOT / "examples/julia").glob("*.jl")])
    wrong = 0
    for file in files:
        for row, column in faults(parser.parse(file.read_bytes()).root_node):
            print(f"{file.relative_to(ROOT)}:{row + 1}:{column + 1}: cannot be parsed")
            wrong += 1
    print(f"{len(files)} files, {wrong} faults")
    return 1 if wrong or not files else 0


if __name__ == "__main__":
    sys.exit(main())
