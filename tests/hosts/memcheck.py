#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Judge what valgrind's memcheck wrote of hosts that had a module of ours in them: one log for each process, in a folder.

    memcheck.py FOLDER SOURCES PROCESSES

Says `FOLDER: N processes with a module of ours, no error of ours, M of hosts alone` and exits 0; or prints each error that is ours, once for
all processes that made it, and exits 1, also when fewer than PROCESSES wrote a log to its end with a module of ours in them.  SOURCES is the tree from which the modules were built.

Whose an error is: ours, if one frame of its stacks is of a file of ours, be that the shared object (which is what valgrind names where there
are no symbols) or a source of SOURCES (where there are; the packaged hosts have none).  All others are the hosts' and their libraries' own,
counted and left alone.  An error is an invalid read, write or free, a jump or a system call that depends on bytes that were never set, and
memory to which nothing leads at the end."""
import os
import re
import sys

OBJECTS = r"/(liboauthbearer|pam_postern|libpostern[a-z-]*)\.so"
LOADED = re.compile(r"Reading syms from \S*" + OBJECTS)
IN_OBJECT = re.compile(r"^ +(?:at|by) 0x[0-9A-F]+: .*\(in \S*" + OBJECTS)
IN_SOURCE = re.compile(r"^ +(?:at|by) 0x[0-9A-F]+: .*\(([^()\s]+\.[ch]):\d+\)$")
FRAME = re.compile(r"^ +(?:at|by) 0x[0-9A-F]+: ")
END = "ERROR SUMMARY: "


def sources_of(tree):
    folders = [d for d in ("lib", "include", "sasl-plugin", "pam-module") if os.path.isdir(os.path.join(tree, d))]
    names = {f for d in folders for _, _, files in os.walk(os.path.join(tree, d)) for f in files if f.endswith((".c", ".h"))}
    if not names:
        sys.exit("%s: no sources of ours" % tree)
    return names


def is_ours(line, sources):
    source = IN_SOURCE.match(line)
    return IN_OBJECT.match(line) or (source and source.group(1) in sources)


def errors_of(lines):
    """Paragraphs with a stack in them."""
    paragraph = []
    for line in lines + [""]:
        if line.strip():
            paragraph.append(line)
            continue
        if any(FRAME.match(text) for text in paragraph):
            yield paragraph
        paragraph = []


def main(folder, tree, processes):
    sources, with_ours, of_hosts, ours, found = sources_of(tree), 0, 0, 0, {}
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".log"):
            continue
        with open(os.path.join(folder, name), errors="replace") as f:
            lines = [re.sub(r"^[=-]{2}\d+[=-]{2} ?", "", line.rstrip("\n")) for line in f]
        end = next((i for i, line in enumerate(lines) if line.startswith(END)), None)
        with_ours += any(LOADED.search(line) for line in lines) and end is not None
        for error in errors_of(lines[:end]):  # behind it `-v` says all of them once more
            if any(is_ours(line, sources) for line in error):
                ours += 1
                found.setdefault(re.sub(r"0x[0-9A-F]+|\d[\d,]* ", "", "".join(error)), "%s\n%s" % (name, "\n".join(error)))
            else:
                of_hosts += 1
    print("\n\n".join(list(found.values()) + ["%s: %d processes with a module of ours, %s of ours, %d of hosts alone" % (
        os.path.basename(folder), with_ours, "%d errors" % ours if ours else "no error", of_hosts)]))
    return 1 if found or with_ours < processes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
