#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""svg.py COLUMNS TITLE <capture >picture.svg: what `tmux capture-pane -ep` saw, as a drawn terminal.

Every run of one colour is a <text> of exactly its columns, so that it lines up in whatever font there is."""
import html
import re
import sys
import unicodedata

WIDTH, HEIGHT, PAD, BAR = 8.4, 18, 16, 30  # of a cell; around them; the title's
COLOURS = {31: "#ff7b72", 32: "#56d364", 33: "#e3b341"}
BOLD = ' font-weight="bold"'
PLAIN, DIM, BACK = "#d6dde6", "#7d8590", "#0d1117"


def columns(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def runs(line, state):
    """(text, colour, bold) in order; `state` goes on from line to line, as a terminal's does."""
    for part in re.split(r"(\033\[[0-9;]*m)", line):
        if not part.startswith("\033["):
            if part:
                yield part, COLOURS.get(state.get("colour"), DIM if state.get("dim") else PLAIN), state.get("bold")
            continue
        for code in (int(c or 0) for c in part[2:-1].split(";")):
            if code == 0:
                state.clear()
            elif code in (39, 49):
                state.pop("colour", None)
            elif code in (1, 2):
                state["bold" if code == 1 else "dim"] = True
            elif code == 22:
                state.pop("bold", None), state.pop("dim", None)
            elif code in COLOURS:
                state["colour"] = code
            else:
                sys.exit(f"svg.py: no colour of ours: {code}")


def main(width, title):
    lines = sys.stdin.read().rstrip("\n").split("\n")
    w, h = width * WIDTH + 2 * PAD, len(lines) * HEIGHT + BAR + PAD
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{w:.0f}" height="{h}" viewBox="0 0 {w:.0f} {h}" '
          'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14">')
    print(f"<title>{html.escape(title)}</title>")
    print(f'<rect width="100%" height="100%" rx="8" fill="{BACK}"/>')
    for i, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        print(f'<circle cx="{PAD + 4 + 20 * i}" cy="{BAR / 2}" r="5" fill="{colour}"/>')
    print(f'<text x="{w / 2:.0f}" y="{BAR / 2 + 5}" text-anchor="middle" fill="{DIM}">{html.escape(title)}</text>')
    state = {}
    for row, line in enumerate(lines):
        at = 0
        for text, colour, bold in runs(line, state):
            n, blank = columns(text), len(text) - len(text.lstrip())
            seen = text.strip()
            if seen:
                print(f'<text x="{PAD + (at + blank) * WIDTH:.1f}" y="{BAR + (row + 0.75) * HEIGHT:.1f}" fill="{colour}"'
                      f'{BOLD if bold else str()} textLength="{columns(seen) * WIDTH:.1f}" '
                      f'lengthAdjust="spacingAndGlyphs" xml:space="preserve">{html.escape(seen)}</text>')
            at += n
    print("</svg>")


main(int(sys.argv[1]), sys.argv[2])
