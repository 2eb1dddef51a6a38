#!/usr/bin/env python3
"""redate.py KEY.sec SIGNED DATE > ANOTHER

A signed archive, with another date, signed anew with that key of signify's,
which must have no passphrase: what comes of a clock that is wrong where
releases are signed.
"""
import base64
import re
import subprocess
import sys
import tempfile

PKCS8 = bytes.fromhex("302e020100300506032b657004220420")
HEAD = 10               # bytes of gzip before the comment

with open(sys.argv[1]) as f:
    raw = base64.b64decode(f.read().splitlines()[1])
# Ed, BK, rounds, salt, checksum; the number; seed and public key
num, seed = raw[32:40], raw[40:72]
with open(sys.argv[2], "rb") as f:
    data = f.read()
end = data.index(b"\0", HEAD)
comment, _, text = data[HEAD:end].split(b"\n", 2)
text = re.sub(rb"^date=[^\n]*", b"date=" + sys.argv[3].encode(), text)
with tempfile.NamedTemporaryFile() as key, \
        tempfile.NamedTemporaryFile() as msg:
    key.write(PKCS8 + seed)
    msg.write(text)
    key.flush()
    msg.flush()
    sig = subprocess.run(
        ["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER",
         "-inkey", key.name, "-in", msg.name],
        check=True, stdout=subprocess.PIPE).stdout
sys.stdout.buffer.write(
    data[:HEAD] + comment + b"\n" + base64.b64encode(b"Ed" + num + sig) +
    b"\n" + text + data[end:])
