#!/usr/bin/env python3
"""Do the formats of json_pack() and json_unpack() fit their arguments?

The compiler cannot know: an argument too many is a value that is lost and
never freed, one too few is read from nowhere.  Counts what each format
takes and what stands behind it; says file:line of each that differs, and
ends with 1 then.  A format that is no literal is passed over.

    packcheck.py file.c ...
"""
import re
import sys

CALL = re.compile(r"\bjson_(?:un)?pack(?:_ex)?\(")
LITERAL = re.compile(r'\s*"((?:[^"\\]|\\.)*)"')


def arguments(text, at):
    """The arguments of a call whose "(" is before `at`, as they stand."""
    out, depth, start, i = [], 0, at, at
    while i < len(text):
        c = text[i]
        if c in "\"'":
            j = i + 1
            while text[j] != c:
                j += 2 if text[j] == "\\" else 1
            i = j
        elif text.startswith("/*", i):
            i = text.index("*/", i) + 1
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            if depth == 0:
                out.append(text[start:i])
                return out
            depth -= 1
        elif c == "," and depth == 0:
            out.append(text[start:i])
            start = i + 1
        i += 1
    return out


def literal(arg):
    """The text of adjoining literals, or None for anything else."""
    arg = re.sub(r"/\*.*?\*/|JSON_INTEGER_FORMAT", "", arg, flags=re.S)
    out, at = "", 0
    while True:
        m = LITERAL.match(arg, at)
        if m is None:
            return out if out and not arg[at:].strip() else None
        out += m.group(1)
        at = m.end()


def wanted(fmt):
    """Arguments that a format takes: one a value or key, and the length
    behind # and %; n takes none."""
    return sum(c in "sbiIfFoO#%" for c in fmt)


def main():
    bad = calls = 0
    for name in sys.argv[1:]:
        text = open(name, encoding="utf-8").read()
        for m in CALL.finditer(text):
            args = arguments(text, m.end())
            lead = ("_ex" in m.group()) * 2 + ("unpack" in m.group())
            if len(args) <= lead or (fmt := literal(args[lead])) is None:
                continue
            calls += 1
            have = len(args) - lead - 1
            want = wanted(fmt)
            if have != want:
                bad += 1
                line = text.count("\n", 0, m.start()) + 1
                print(f"{name}:{line}: the format takes {want} arguments, "
                      f"{have} are there: {fmt}")
    if calls == 0:
        print("packcheck: found no call at all", file=sys.stderr)
    return 1 if bad or calls == 0 else 0


sys.exit(main())
