#!/usr/bin/env python3
"""Check a text in Prometheus's exposition format 0.0.4, strictly.

usage: promcheck.py < text		exit 0, or 1 with a line for each fault

The rules are those of the format's description and of `promtool check
metrics`: names and labels well formed, HELP and TYPE once and before the
samples, all samples of a family together, no sample twice, label values
escaped, numbers that are numbers, counters that are not negative and end
in _total, nothing else that does, units in base units, histograms whole:
buckets in order and monotone up to le="+Inf", which equals _count.
"""
import math
import re
import sys

NAME = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*')
LABEL = re.compile(r'[a-zA-Z_][a-zA-Z0-9_]*')
VALUE = re.compile(r'[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?Inf|NaN')
TYPES = ('counter', 'gauge', 'histogram', 'summary', 'untyped')
NOT_BASE = ('milliseconds', 'minutes', 'hours', 'days', 'kilobytes',
            'megabytes', 'bits', 'percent')


class Fault(Exception):
    pass


def labels(s):
    """Parse '{a="b",...}' at the start: a dict and what follows."""
    found = {}
    if not s.startswith('{'):
        return found, s
    s = s[1:]
    while not s.startswith('}'):
        m = LABEL.match(s)
        if not m:
            raise Fault('label name expected')
        name, s = m.group(), s[m.end():]
        if name.startswith('__'):
            raise Fault('label %s is reserved' % name)
        if name in found:
            raise Fault('label %s twice' % name)
        if not s.startswith('="'):
            raise Fault('="value" expected behind %s' % name)
        s, value = s[2:], ''
        while not s.startswith('"'):
            if not s:
                raise Fault('value of %s has no end' % name)
            if s[0] == '\\':
                if s[1:2] not in ('\\', '"', 'n'):
                    raise Fault('bad escape in %s' % name)
                value += {'\\': '\\', '"': '"', 'n': '\n'}[s[1]]
                s = s[2:]
            else:
                value += s[0]
                s = s[1:]
        found[name] = value
        s = s[1:]
        if s.startswith(','):
            s = s[1:]
            if s.startswith('}'):
                raise Fault('comma at the end of the labels')
        elif not s.startswith('}'):
            raise Fault('comma expected behind %s' % name)
    return found, s[1:]


class Family:
    def __init__(self, name):
        self.name = name
        self.help = self.type = None
        self.samples = []       # (part, labels, value)

    def part(self, sample):
        """Which part of the family a sample's name is, or None."""
        if sample == self.name and self.type != 'histogram':
            return ''
        if self.type in ('histogram', 'summary'):
            for p in ('_bucket', '_sum', '_count'):
                if sample == self.name + p:
                    return p
        return None


def check_histogram(f):
    groups = {}
    for part, lab, value in f.samples:
        key = tuple(sorted((k, v) for k, v in lab.items() if k != 'le'))
        if ('le' in lab) != (part == '_bucket'):
            yield 'le belongs to _bucket'
            return
        groups.setdefault(key, []).append((part, lab.get('le'), value))
    for key, rows in groups.items():
        bound, n = -math.inf, 0
        for part, le, value in rows:
            if part != '_bucket':
                continue
            if not VALUE.fullmatch(le):
                yield 'le="%s" is no number' % le
                return
            if float(le) <= bound:
                yield 'buckets of %s not in order' % (key,)
            if value < n:
                yield 'buckets of %s not monotone' % (key,)
            bound, n = float(le), value
        sums = [v for p, _, v in rows if p == '_sum']
        counts = [v for p, _, v in rows if p == '_count']
        if bound != math.inf:
            yield 'no bucket le="+Inf" of %s' % (key,)
        elif len(sums) != 1 or len(counts) != 1:
            yield 'one _sum and one _count of %s' % (key,)
        elif counts[0] != n:
            yield '_count of %s is not its last bucket' % (key,)


def check_family(f):
    if not f.help:
        yield 'no HELP'
    if not f.type:
        yield 'no TYPE'
    if (f.type == 'counter') != f.name.endswith('_total'):
        yield 'counters, and they alone, end in _total'
    if f.name.endswith(('_bucket', '_sum', '_count')):
        yield 'the name ends like a part of a histogram'
    for unit in NOT_BASE:
        if unit in f.name.split('_'):
            yield 'not a base unit: ' + unit
    if not re.fullmatch(r'[a-z][a-z0-9_]*', f.name):
        yield 'small letters, digits and underscores'
    for part, lab, value in f.samples:
        if f.type in ('counter', 'histogram') and not value >= 0:
            yield 'negative'
    if f.type == 'histogram':
        yield from check_histogram(f)


def comment(line, families, last):
    words = line.split(' ', 3)
    if len(words) < 4 or words[0] != '#' or words[1] not in ('HELP', 'TYPE'):
        raise Fault('only HELP and TYPE')
    _, kind, name, text = words
    if not NAME.fullmatch(name):
        raise Fault('bad name')
    if last is None or last.name != name:
        if name in families:
            raise Fault('family not together')
        families[name] = last = Family(name)
    if last.samples:
        raise Fault('%s behind samples' % kind)
    if kind == 'HELP':
        if last.help is not None:
            raise Fault('HELP twice')
        if re.search(r'\\(?![\\n])', text):
            raise Fault('bad escape')
        last.help = text
    else:
        if last.type is not None:
            raise Fault('TYPE twice')
        if text not in TYPES:
            raise Fault('unknown type')
        last.type = text
    return last


def sample(line, last, seen):
    m = NAME.match(line)
    if not m:
        raise Fault('name expected')
    part = last.part(m.group()) if last else None
    if part is None:
        raise Fault('sample of another family, or of none')
    lab, rest = labels(line[m.end():])
    if not rest.startswith(' ') or not VALUE.fullmatch(rest[1:]):
        raise Fault('one blank and a number expected')
    key = (m.group(), tuple(sorted(lab.items())))
    if key in seen:
        raise Fault('twice')
    seen.add(key)
    last.samples.append((part, lab, float(rest[1:])))


def check(data):
    """All faults of a text, as lines."""
    faults = []
    try:
        text = data.decode('utf-8')
    except UnicodeDecodeError as e:
        return ['not UTF-8 at byte %d' % e.start]
    if not text.endswith('\n'):
        faults.append('no newline at the end')
    families, seen, last = {}, set(), None
    for n, line in enumerate(text.split('\n')[:-1], 1):
        try:
            if line.startswith('#'):
                last = comment(line, families, last)
            else:
                sample(line, last, seen)
        except Fault as e:
            faults.append('%d: %s: %s' % (n, e, line))
    for f in families.values():
        faults += ['%s: %s' % (f.name, e) for e in check_family(f)]
    if not seen:
        faults.append('no samples')
    return faults


def main():
    faults = check(sys.stdin.buffer.read())
    for f in faults:
        print(f)
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
