#!/usr/bin/env python3
"""Times the expressions of a file against a server: median of five in ms, and what came back.

usage: time_queries.py PORT END_MS FILE     FILE: bench/queries.txt explains its own lines
"""
import json
import statistics
import sys
import time
import urllib.parse
import urllib.request

port, end_s = sys.argv[1], int(sys.argv[2]) / 1000
for line in open(sys.argv[3]):
    line = line.rstrip("\n")
    if not line or line.startswith("#"):
        continue
    expr, *window = line.split("@@")
    path, params = "query", {"query": expr, "time": end_s}
    if line.startswith("/"):
        path, params = line[1:], {"start": end_s - 900, "end": end_s}
    elif window:
        path, params = "query_range", {"query": expr, "start": end_s - float(window[0]), "end": end_s, "step": window[1]}
    params["nocache"] = "1"
    url = f"http://127.0.0.1:{port}/api/v1/{path}{'&' if '?' in path else '?'}{urllib.parse.urlencode(params)}"
    took, what = [], ""
    for _ in range(5):
        begin = time.monotonic()
        try:
            body = urllib.request.urlopen(url, timeout=120).read()
            took.append((time.monotonic() - begin) * 1e3)
            data = json.loads(body)["data"]
            if isinstance(data, list):
                what = f"{len(data)} items, {len(body)} bytes"
            else:
                rows = data["result"]
                first = (rows[0].get("value") or rows[0]["values"][-1])[1] if rows else "-"
                what = f"{len(rows)} series, first {first}"
        except Exception as e:
            took.append((time.monotonic() - begin) * 1e3)
            what = f"{e} {getattr(e, 'read', lambda: b'')()[:120]}"
    print(f"  query {line[:90]:<90} {statistics.median(took):9.1f} ms  {what}", flush=True)
