#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# layers.py SRC OBJECTS: the house stands as docs/architecture.md draws it. Includes and calls run downward through the
# rows of LAYERS, and no files, two or more, include or call each other in a circle. What a file calls is what its object
# in OBJECTS leaves undefined (nm). Each offending pair is printed with the line that includes or the symbol called.
import pathlib
import re
import subprocess
import sys

# From the top; what stands in one row may use its own folder and the rows below.
LAYERS = [
    ["main"],
    ["command"],
    ["doctor"],
    ["report"],
    ["keepalive"],
    ["account"],
    ["cluster"],
    ["ledger"],
    ["store", "courier"],
    ["lock", "config"],
    ["provider", "format"],
    ["credential"],
    ["file"],
    ["json"],
    ["base"],
]
ROW = {folder: row for row, folders in enumerate(LAYERS) for folder in folders}


def folder(file):
    return file.split("/")[0].split(".")[0]


def name_of(path, src):
    return str(path.relative_to(src))


def includes(src):
    """(who, whom, why) for each #include of a file of ours."""
    for path in sorted(src.rglob("*.[ch]")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.match(r'#include "([^"]+)"', line)
            if found:
                yield name_of(path, src), found[1], f"{path}:{number} includes {found[1]}"


def calls(src, objects):
    """(who, whom, why) for each symbol that one object takes from another."""
    defined, wanted = {}, []
    for path in sorted(src.rglob("*.c")):
        file = name_of(path, src)
        nm = subprocess.run(["nm", (objects / file).with_suffix(".o")], capture_output=True, text=True, check=True).stdout
        for line in nm.splitlines():
            kind, symbol = line.split()[-2:]
            if kind == "U":
                wanted.append((file, symbol))
            elif kind.isupper():
                defined.setdefault(symbol, []).append(file)
    for file, symbol in wanted:
        for owner in defined.get(symbol, []):
            # Two programs may each have a function of one name: whoever is nearer is meant.
            if len(defined[symbol]) == 1 or folder(owner) == folder(file):
                yield file, owner, f"{src}/{file} calls {symbol} of {src}/{owner}"


def circles(edges):
    """The strongly connected sets of more than one file (Tarjan)."""
    graph = {}
    for who, whom, _ in edges:
        graph.setdefault(who, set()).add(whom)
        graph.setdefault(whom, set())
    index, low, stack, found = {}, {}, [], []

    def visit(file):
        index[file] = low[file] = len(index)
        stack.append(file)
        for other in sorted(graph[file]):
            if other not in index:
                visit(other)
                low[file] = min(low[file], low[other])
            elif other in stack:
                low[file] = min(low[file], index[other])
        if low[file] == index[file]:
            circle = set()
            while not circle or file not in circle:
                circle.add(stack.pop())
            if len(circle) > 1:
                found.append(circle)

    for file in sorted(graph):
        if file not in index:
            visit(file)
    return found


def main():
    src, objects = map(pathlib.Path, sys.argv[1:])
    edges = [e for e in [*includes(src), *calls(src, objects)] if e[0] != e[1]]
    unknown = {folder(file) for edge in edges for file in edge[:2]} - ROW.keys()
    wrong = [f"no place in the house: {name}/" for name in sorted(unknown)]
    for who, whom, why in edges:
        a, b = folder(who), folder(whom)
        if a != b and not {a, b} & unknown and ROW[a] >= ROW[b]:
            wrong.append(f"upward or sideways, {a} to {b}: {why}")
    for circle in circles(edges):
        wrong.append("in a circle: " + ", ".join(sorted(circle)))
        wrong += [f"    {why}" for who, whom, why in edges if who in circle and whom in circle]
    print("\n".join(wrong) or f"{len(LAYERS)} layers, {len(edges)} edges, no circle")
    return bool(wrong)


sys.exit(main())
