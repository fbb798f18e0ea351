#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""panels.py record DIRECTORY >SERIES: the metrics files there, each named by its time, as they would have been scraped every
minute, in OpenMetrics' form.

panels.py draw DASHBOARD.json URL FROM TO >PICTURE.svg: its panels, with what the Prometheus at URL answers to their queries.
A panel of which nothing is known is an error: each has something to show in the scene."""
import html
import json
import os
import re
import sys
import urllib.parse
import urllib.request

COLOURS = ["#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#c4162a", "#37872d", "#a352cc", "#e0b400"]
NAMED = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c"}
TEXT, DIM, BACK, PANEL, LINE = "#ccccdc", "#8e8e9a", "#111217", "#181b1f", "#2c3235"
UNIT_X, UNIT_Y, GAP = 44, 22, 8


def record(directory):
    times = sorted(map(int, os.listdir(directory)))
    families, kinds = {}, {}
    for at, until in zip(times, times[1:] + [times[-1] + 60]):
        for line in open(f"{directory}/{at}"):
            if line.startswith("# TYPE "):
                kinds[line.split()[2]] = line.split()[3]
            if line.startswith("#"):
                continue
            series, value = line.rsplit(" ", 1)
            name = series.partition("{")[0]
            labels = series[len(name):].strip("{}")
            series = name + "{" + ",".join(filter(None, ['instance="alpha"', labels])) + "}"
            samples = families.setdefault(name, {}).setdefault(series, [])
            samples += [(second, value.strip()) for second in range(at, until, 60)]
    for name, all_series in families.items():
        # A counter's family has no _total in OpenMetrics; those without one are told as what they are read as.
        kind = kinds[name] if kinds[name] != "counter" or name.endswith("_total") else "gauge"
        print(f"# TYPE {name.removesuffix('_total') if kind == 'counter' else name} {kind}")
        for series, samples in all_series.items():
            for second, value in samples:
                print(f"{series} {value} {second}")
    print("# EOF")


def ask(url, path, **words):
    with urllib.request.urlopen(f"{url}/api/v1/{path}?{urllib.parse.urlencode(words)}") as answer:
        return json.load(answer)["data"]["result"]


def duration(seconds):
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"


def shown(value, unit):
    return duration(value) if unit == "s" else f"{value:.3g}"


def text(x, y, what, colour=TEXT, size=12, anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" text-anchor="{anchor}">{html.escape(what)}</text>'


def legend(form, labels):
    return " ".join(re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), form).split())


def draw_stat(panel, results, box):
    x, y, w, h = box
    unit = panel["fieldConfig"]["defaults"].get("unit", "none")
    value = float(results[0]["value"][1])
    colour = TEXT
    for step in panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", []):
        if step["value"] is None or value >= step["value"]:
            colour = NAMED.get(step["color"], TEXT)
    yield text(x + w / 2, y + h / 2 + 20, shown(value, unit), colour, 34, "middle")


def draw_lines(panel, results, box, first, last):
    x, y, w, h = box
    unit = panel["fieldConfig"]["defaults"].get("unit", "short")
    results = sorted(results, key=lambda result: legend(panel["targets"][0].get("legendFormat", ""), result["metric"]))
    left, right, top, bottom = x + 62, x + w - 12, y + 34, y + h - 42 - 14 * ((len(results) - 1) // 3)
    values = [float(value) for result in results for _, value in result["values"]]
    low, high = min(values + [0]), max(values + [1])
    for i in range(5):
        at = bottom - (bottom - top) * i / 4
        yield f'<line x1="{left}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}" stroke="{LINE}"/>'
        yield text(left - 6, at + 4, shown(low + (high - low) * i / 4, unit), DIM, 10, "end")
    for hour in range(0, 25, 4):
        yield text(left + (right - left) * hour / 24, bottom + 14, f"{hour} h", DIM, 10, "middle")
    for i, result in enumerate(results):
        points, before = "", None
        for second, value in result["values"]:
            px = left + (right - left) * (second - first) / (last - first)
            py = bottom - (bottom - top) * (float(value) - low) / (high - low)
            points += f"{'L' if before and second - before < 700 else 'M'}{px:.1f} {py:.1f}"
            before = second
        colour = COLOURS[i % len(COLOURS)]
        yield f'<path d="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        name = legend(panel["targets"][0].get("legendFormat", ""), result["metric"])
        lx, ly = left + (i % 3) * (w - 70) / 3, bottom + 30 + 14 * (i // 3)
        yield f'<rect x="{lx:.1f}" y="{ly - 5:.1f}" width="10" height="3" fill="{colour}"/>' + text(lx + 14, ly, name, TEXT, 10)


def draw_table(results, box):
    x, y, _, _ = box
    for i, result in enumerate(results):
        row = "   ".join(f"{name} {value}" for name, value in sorted(result["metric"].items()) if name != "__name__")
        yield text(x + 14, y + 52 + 18 * i, row)


def draw(dashboard, url, first, last):
    panels = json.load(open(dashboard))["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) * UNIT_Y + GAP
    width = 24 * UNIT_X + GAP
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
          'font-family="Inter, Helvetica, Arial, sans-serif">')
    print(f'<title>A day of runs in the panels of the dashboard</title><rect width="100%" height="100%" fill="{BACK}"/>')
    for panel in panels:
        grid = panel["gridPos"]
        box = (grid["x"] * UNIT_X + GAP, grid["y"] * UNIT_Y + GAP, grid["w"] * UNIT_X - GAP, grid["h"] * UNIT_Y - GAP)
        query = panel["targets"][0]["expr"].replace("$instance", ".*")
        lines = panel["type"] == "timeseries"
        results = (ask(url, "query_range", query=query, start=first, end=last, step=300) if lines
                   else ask(url, "query", query=query, time=last))
        if not results:
            sys.exit(f"{panel['title']}: nothing is known of {query}")
        x, y, w, h = box
        print(f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="3" fill="{PANEL}" stroke="{LINE}"/>')
        print(text(x + 10, y + 20, panel["title"], TEXT, 13))
        print("\n".join(draw_lines(panel, results, box, first, last) if lines
                        else draw_table(results, box) if panel["type"] == "table" else draw_stat(panel, results, box)))
    print("</svg>")


if sys.argv[1] == "record":
    record(sys.argv[2])
else:
    draw(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
