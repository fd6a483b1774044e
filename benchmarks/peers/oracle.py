#!/usr/bin/env python3
"""Brute-force match counts: oracle.py FILE W1..W7 | W8f R | W9 N | W10   (prints one JSON line)
Every window is half open: two events are 'within w' when later.ts - earlier.ts < w."""
import json, sys
from collections import defaultdict, deque

W2_N, W3_N = 20, 50


def load(path):
    with open(path) as f:
        return [json.loads(l) for l in f]


def w1(ev): return sum(e["amount"] > 990 for e in ev)


def w2(ev):
    n = defaultdict(int)
    for e in ev:
        n[e["card"], e["ts"] // 60000] += 1
    return sum(v >= W2_N for v in n.values())


def w3(ev):
    win, hits = defaultdict(deque), 0
    for e in ev:
        q = win[e["card"]]
        q.append(e["ts"])
        while q[0] <= e["ts"] - 60000:
            q.popleft()
        hits += len(q) >= W3_N
    return hits


def by_card(ev):
    cards = defaultdict(list)
    for e in ev:
        cards[e["card"]].append(e)
    return cards.values()


def first(s, i, limit, cond):
    """index of the first event after s[i] before time limit for which cond holds"""
    for j in range(i + 1, len(s)):
        if s[j]["ts"] >= limit:
            return None
        if cond(s[j]):
            return j


def w4(ev):
    hits = 0
    for s in by_card(ev):
        for i, a in enumerate(s):
            if a["amount"] < 20:
                hits += first(s, i, a["ts"] + 60000, lambda b: b["amount"] > 900) is not None
    return hits


def w5(ev):
    hits = 0
    for s in by_card(ev):
        for i, a in enumerate(s):
            if a["amount"] >= 100:
                continue
            j = first(s, i, a["ts"] + 60000, lambda b: b["amount"] > a["amount"] * 5)
            if j is None:
                continue
            b = s[j]
            hits += first(s, j, a["ts"] + 60000, lambda c: c["amount"] > b["amount"] * 1.5
                          and c["country"] != a["country"]) is not None
    return hits


def w6(ev):
    """a big payment closes a match when >= 3 small ones since the last match lie within 120 s before it"""
    hits = 0
    for s in by_card(ev):
        small = []
        for e in s:
            if e["amount"] < 100:
                small.append(e["ts"])
            elif e["amount"] > 800 and sum(e["ts"] - t < 120000 for t in small) >= 3:
                hits += 1
                small = []
    return hits


def w7(ev):
    hits = 0
    for s in by_card(ev):
        for i, a in enumerate(s):
            if a["amount"] > 950:
                hits += i + 1 == len(s) or s[i + 1]["ts"] - a["ts"] >= 30000
    return hits


def w8f(ev, r):
    rules = defaultdict(list)
    for i in range(r):
        rules["m%03d" % (i % 1000)].append(900 + i * 37 % 100)
    return sum(e["amount"] > t for e in ev for t in rules[e["merchant"]])


def w9(ev, n):
    hits = 0
    for i, a in enumerate(ev):
        if a["type"] == "SELL" and a["name"] == "MSFT":
            nb = 0
            for e in ev[i + 1:i + n]:
                if e["type"] == "BUY" and e["name"] == "ORCL":
                    nb += 1
                elif e["type"] == "SELL" and e["name"] == "CSCO":
                    hits += nb
    return hits


def w10(ev):
    """per event, distinct merchants of the card in (t-600 s, t] >= 500"""
    win, hits = defaultdict(deque), 0
    for e in ev:
        q = win[e["card"]]
        q.append(e)
        while q[0]["ts"] <= e["ts"] - 600000:
            q.popleft()
        hits += len(q) >= 500 and len({x["merchant"] for x in q}) >= 500
    return hits


if __name__ == "__main__":
    path, w, rest = sys.argv[1], sys.argv[2], [int(x) for x in sys.argv[3:]]
    print(json.dumps({"engine": "oracle", "workload": w, "n": (rest or [0])[0], "matches": globals()[w.lower()](load(path), *rest)}))
