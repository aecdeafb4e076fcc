#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Lines of JSON that parsers read in different ways: what the MCP door judged is what Python's, JavaScript's and C's parsers, a reader that
binds names without regard to case, and one that takes the first of two names, read in the line that it sent on; or it sent none.  A
corpus by hand, and generated mutations of it, the same on every machine.  TAP output; node is optional, as POSTERN_PEERS says."""
import json
import os
import random
import subprocess
import sys

BUILD, PEERS = os.environ.get("POSTERN_BUILD", "."), os.environ.get("POSTERN_PEERS", "")
JUDGE = BUILD + "/tests/support/mcp_judge"
MUTATIONS = int(os.environ.get("POSTERN_MCP_LINES", "20000"))
HEAD = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":'
CORPUS = [HEAD + p + "}" for p in (
    '{"name":"read","arguments":{"path":"/a"}}',
    '{"name":"r\\u0065ad","arguments":{"p\\u0061th":"/a"}}',
    '{"name":"a\\/b","arguments":{}}',
    '{"n\\u0061me":"read"}',
    '{"name":"read","name":"delete"}',
    '{"name":"read","n\\u0061me":"delete"}',
    '{"name":"read","Name":"delete"}',
    '{"name":"read","NAME":"delete","arguments":{}}',
    '{"name":"read","arguments":{"path":"/a","Path":"/b"}}',
    '{"name":"read","arguments":{"path":"/a"},"Arguments":{"path":"/b"}}',
    '{"name":"read","argument\u017f":{"path":"/b"}}',
    '{"name":"read","arguments":{"n":1e400}}',
    '{"name":"read","arguments":{"n":123456789012345678901234567890}}',
    '{"name":"read","arguments":{"n":-0}}',
    '{"name":"read","arguments":{"n":1.0}}',
    '{"name":"read","arguments":{"n":01}}',
    '{"name":"read","arguments":{"n":NaN}}',
    '{"name":"read","arguments":{"n":Infinity}}',
    '{"name":"read","arguments":{"s":"\\ud83d\\ude00"}}',
    '{"name":"read","arguments":{"s":"\\ud83d"}}',
    '{"name":"re\\u0000ad"}',
    '{"name":"read\u2028"}',
    '{"name":"\u00e9"}',
    '{"name":"e\u0301"}',
    '{"name":"read","arguments":null}',
    '{"name":"read",}',
    "{'name':'read'}",
    '{"name":"read"/*x*/}',
    '{"name":"read","__proto__":{"name":"delete"}}',
    '{"name":"read","constructor":{"name":"delete"}}',
    '{"name":"read","arguments":{"a":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}}',
    '{"name":{"toString":"read"}}',
    '["read"]',
    '{"name":"a"}},{"x":{}',
)] + [
    '\ufeff' + HEAD + '{"name":"read"}}',
    '[' + HEAD + '{"name":"read"}}]',
    HEAD + '{"name":"read"},"method":"ping"}',
    HEAD + '{"name":"read"},"METHOD":"ping"}',
    HEAD + '{"name":"read"},"Params":{"name":"delete"}}',
    HEAD + '{"name":"read"},"param\u017f":{"name":"delete"}}',
    HEAD + '{"name":"read"}} ' + HEAD + '{"name":"delete"}}',
    HEAD + '{"name":"read"}}\r' + HEAD + '{"name":"delete"}}',
    HEAD + '{"a":\r' + HEAD + '{"name":"delete"}}\r}}',
    HEAD + '{"name":"read"}}\x0b',
    HEAD + '{"name":"read"}}\x1e',
    ' ' + HEAD + '{"name":"read"}}\r',
    '{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a"}}',
    '{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"p","arguments":{"a":"b"}}}',
    '{"jsonrpc":"2.0","id":"a","method":"ping"}',
    '{"jsonrpc":"2.0","method":"notifications/initialized"}',
]
PIECES = ['"', '\\', '{', '}', '[', ']', ',', ':', ' ', '\t', '\r', '"name"', '"Name"', '"n\\u0061me"', '"method"', '"METHOD"', '"params"',
          '"arguments"', ':"delete"', ',"name":"delete"', ',"method":"tools/call"', '\\u0000', '\\ud800', '\u017f', '\u212a', '\ufeff', '1e400',
          'null', 'true', '0', '-', '//', '/*', "'", '\x0b', '\x7f', '\u0085', '\u2028']
READER = """
import { createInterface } from "node:readline";
for await (const text of createInterface({ input: process.stdin })) {
  const line = JSON.parse(text);
  let said;
  try { const m = JSON.parse(line); said = { method: m.method ?? null, name: m.params?.name ?? m.params?.uri ?? null, args: m.params?.arguments ?? null }; }
  catch { said = null; }
  console.log(JSON.stringify(said));
}
"""
failed = passed = 0


def report(is_ok, what, detail=""):
    global failed, passed
    passed, failed = passed + bool(is_ok), failed + (not is_ok)
    print("%sok - %s" % ("" if is_ok else "not ", what))
    if not is_ok:
        print("# " + repr(detail))


def mutations(count):
    r = random.Random(7)
    for _ in range(count):
        text = r.choice(CORPUS)
        for _ in range(r.choice((1, 1, 1, 2, 3))):
            at, to = sorted((r.randrange(len(text) + 1), r.randrange(len(text) + 1)))
            how = r.randrange(4)
            if how == 0:
                text = text[:at] + r.choice(PIECES) + text[at:]
            elif how == 1 and to - at < 12:
                text = text[:at] + text[to:]
            elif how == 2 and to - at < 40:
                text = text[:to] + text[at:to] + text[to:]
            elif text:
                at = min(at, len(text) - 1)
                text = text[:at] + r.choice([text[at].swapcase(), r.choice(PIECES)]) + text[at + 1:]
        yield text


def first_wins(pairs):
    found = {}
    for k, v in pairs:
        found.setdefault(k, v)
    return found


def folded(pairs):
    """As Go's decoder binds them: without regard to case, the last one wins."""
    return {k.replace("\u017f", "s").replace("\u212a", "k").lower(): v for k, v in pairs}


def looked_at(m):
    params = m.get("params") or {}
    return m.get("method"), params.get("name", params.get("uri")), params.get("arguments")


def names_of(m):
    return looked_at(m)[:2]


def python_readings(text):
    """Each way in which a server might read the line."""
    for hook in (dict, first_wins, folded):
        yield hook.__name__, names_of(json.loads(text, object_pairs_hook=hook))


def check_line(text, verdict, node):
    """None, or what is wrong with a line that was sent."""
    judged = (verdict["method"], verdict.get("resource"))
    if judged[1] is None:  # it has none: what a rule with `on` never allows
        judged = (judged[0], names_of(json.loads(text))[1] if judged[0] in ("resources/read",) else None)
    for who, read in python_readings(text):
        if judged[1] is not None and read != judged or read[0] != judged[0]:
            return "%s reads %r, judged as %r" % (who, read, judged)
    if len(text.splitlines()) > 1 and any(looks_like_a_message(x) for x in text.splitlines()):
        return "a reader of lines finds another message in it"
    if verdict.get("c_method") != judged[0]:
        return "json-c reads %r" % verdict.get("c_method")
    if node is not None:
        if node == "none" or (node["method"], node["name"]) != judged and judged[1] is not None:
            return "node reads %r, judged as %r" % (node, judged)
        if judged[0] == "tools/call" and len(verdict["args"]) < 150 and verdict["args"] != "?" \
                and json.loads(verdict["args"]) != (node["args"] or {}) and "e400" not in text and "123456789" not in text:
            return "node's arguments are %r, judged were %r" % (node["args"], verdict["args"])
    return None


def looks_like_a_message(text):
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def read_by_node(lines):
    if not os.path.exists(PEERS + "/node"):
        print("# node does not read along: POSTERN_PEERS is not set")
        return [None] * len(lines)
    done = subprocess.run([PEERS + "/node", "--input-type=module", "-e", READER], input="".join(json.dumps(x) + "\n" for x in lines),
                          stdout=subprocess.PIPE, universal_newlines=True, check=True, timeout=120)
    return [json.loads(x) or "none" for x in done.stdout.split("\n") if x]


def main():
    lines = [x for x in CORPUS + list(mutations(MUTATIONS)) if "\n" not in x and "\0" not in x]
    done = subprocess.run([JUDGE], input="".join(x + "\n" for x in lines).encode(), stdout=subprocess.PIPE, timeout=250)
    report(done.returncode == 0, "every line has a verdict, and what was sent is what came", done.returncode)
    verdicts = [json.loads(x) for x in done.stdout.splitlines()]
    report(len(verdicts) == len(lines), "as many verdicts as lines", (len(verdicts), len(lines)))
    sent = [(x, v) for x, v in zip(lines, verdicts) if v["sent"]]
    wrong = [(x, why) for (x, v), n in zip(sent, read_by_node([x for x, _ in sent])) for why in [check_line(x, v, n)] if why]
    report(not wrong, "of %d lines %d were sent, and every reader reads what was judged" % (len(lines), len(sent)), wrong[:3])
    report(len(sent) > len(lines) / 100, "some are sent at all", len(sent))
    report(any(not v["sent"] for v in verdicts[:len(CORPUS)]), "and some are not")
    print("1..%d" % (passed + failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
