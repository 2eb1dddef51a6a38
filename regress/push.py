#!/usr/bin/env python3
"""Push in ways that curl would not: python's standard library only.

Prints the status on the first line and the body behind it; exit 0 when
there was an answer, 3 when there was none.  What it can vary: the order
of the fields, how the body is framed and split, how fast it comes, and
where it stops."""
import argparse
import hashlib
import socket
import ssl
import sys
import time

p = argparse.ArgumentParser()
p.add_argument("--port", type=int, required=True)
p.add_argument("--certs", required=True)
p.add_argument("--cert", default="master")
p.add_argument("--file")
p.add_argument("--sha", default="")
p.add_argument("--sha256", default=None)
p.add_argument("--order", default="sha,sha256,tarball")
p.add_argument("--field", action="append", default=[], help="name=value")
p.add_argument("--chunked", type=int, default=0, help="bytes a chunk")
p.add_argument("--split", type=int, default=0, help="bytes a write")
p.add_argument("--pause", type=float, default=0, help="seconds a write")
p.add_argument("--abort", type=int, default=-1, help="body bytes, then close")
p.add_argument("--stall", type=int, default=-1, help="body bytes, then wait")
p.add_argument("--half-close", action="store_true",
               help="end our side behind the request")
p.add_argument("--put", action="store_true")
p.add_argument("--ndjson", action="store_true")
p.add_argument("--raw", help="send this file as the whole request")
p.add_argument("--raw-pause", type=float, default=0, help="seconds a byte")
p.add_argument("--target", default="/update", help="path")
p.add_argument("--source", default="", help="local address")
p.add_argument("--idle", type=int, default=0,
               help="open so many connections, print `open', wait for EOF "
               "on standard input")
p.add_argument("--tls", action="store_true", help="handshake the idle ones")
p.add_argument("--timeout", type=float, default=60)
a = p.parse_args()


def connect(source=""):
    s = socket.create_connection(("127.0.0.1", a.port), a.timeout,
                                 (source, 0) if source else None)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def secure(s):
    ctx = ssl.create_default_context(cafile=a.certs + "/ca.crt")
    ctx.load_cert_chain("%s/%s.crt" % (a.certs, a.cert),
                        "%s/%s.key" % (a.certs, a.cert))
    return ctx.wrap_socket(s, server_hostname="127.0.0.1")


def idle():
    held = []
    for i in range(a.idle):
        source = "127.0.%d.%d" % (i // 8 + 1, 2) if a.source == "many" else ""
        try:
            s = connect(source)
            held.append(secure(s) if a.tls else s)
        except OSError:
            pass
    print("open %d" % len(held), flush=True)
    sys.stdin.read()


def fields():
    data = open(a.file, "rb").read()
    values = {"sha": a.sha.encode(),
              "sha256": (a.sha256 if a.sha256 is not None else
                         hashlib.sha256(data).hexdigest()).encode()}
    for f in a.field:
        k, v = f.split("=", 1)
        values[k] = v.encode()
    order = a.order.split(",") + [f.split("=", 1)[0] for f in a.field]
    return data, values, order


def request():
    data, values, order = fields()
    head = ["Host: 127.0.0.1:%d" % a.port]
    target = a.target
    if a.put:
        target += "?" + "&".join("%s=%s" % (k, v.decode())
                                 for k, v in values.items() if v)
        body = data
        head.append("Content-Type: application/octet-stream")
    else:
        mark = b"----python-%d" % time.time_ns()
        body = b""
        for name in order:
            body += b"--" + mark + b"\r\nContent-Disposition: form-data; "
            if name == "tarball":
                body += (b'name="tarball"; filename="r.tgz"\r\n'
                         b"Content-Type: application/gzip\r\n\r\n" + data)
            else:
                body += b'name="%s"\r\n\r\n' % name.encode() + values[name]
            body += b"\r\n"
        body += b"--" + mark + b"--\r\n"
        head.append("Content-Type: multipart/form-data; boundary="
                    + mark.decode())
    if a.ndjson:
        head.append("Accept: application/x-ndjson")
    if a.chunked:
        head.append("Transfer-Encoding: chunked")
        framed = b""
        for i in range(0, len(body), a.chunked):
            part = body[i:i + a.chunked]
            framed += b"%x\r\n" % len(part) + part + b"\r\n"
        body = framed + b"0\r\n\r\n"
    else:
        head.append("Content-Length: %d" % len(body))
    line = "%s %s HTTP/1.1\r\n" % ("PUT" if a.put else "POST", target)
    return (line + "\r\n".join(head) + "\r\n\r\n").encode(), body


def send(s, head, body):
    s.sendall(head)
    step = a.split or 65536
    end = len(body)
    for stop in (a.abort, a.stall):
        if stop >= 0:
            end = min(end, stop)
    for i in range(0, end, step):
        s.sendall(body[i:min(i + step, end)])
        if a.pause:
            time.sleep(a.pause)
    if a.abort >= 0:
        # The socket below, without a word of TLS: as if we had died.
        s.close()
        sys.exit(3)


def receive(s):
    """The last answer; interim 100s are skipped."""
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            d = s.recv(65536)
            if not d:
                return None
            data += d
        head, data = data.split(b"\r\n\r\n", 1)
        status = int(head.split(b" ", 2)[1])
        if status >= 200:
            break
    h = {}
    for line in head.split(b"\r\n")[1:]:
        k, v = line.split(b":", 1)
        h[k.strip().lower()] = v.strip()
    if h.get(b"transfer-encoding") == b"chunked":
        body = b""
        while True:
            while b"\r\n" not in data:
                data += s.recv(65536) or sys.exit(3)
            size, data = data.split(b"\r\n", 1)
            n = int(size, 16)
            while len(data) < n + 2:
                data += s.recv(65536) or sys.exit(3)
            body += data[:n]
            data = data[n + 2:]
            if n == 0:
                return status, body
    n = int(h.get(b"content-length", b"0"))
    while len(data) < n:
        d = s.recv(65536)
        if not d:
            break
        data += d
    return status, data[:n]


def main():
    if a.idle:
        idle()
        return
    s = secure(connect(a.source))
    try:
        if a.raw:
            raw = open(a.raw, "rb").read()
            if a.raw_pause:
                for i in range(len(raw)):
                    s.sendall(raw[i:i + 1])
                    time.sleep(a.raw_pause)
            else:
                s.sendall(raw)
        else:
            send(s, *request())
            if a.half_close:
                # SSLSocket.shutdown would forget the session.
                socket.socket.shutdown(s, socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
        pass        # an early answer may stand in the receive buffer
    try:
        r = receive(s)
    except (OSError, ValueError) as e:
        print("none: %s" % e)
        sys.exit(3)
    if r is None:
        print("none")
        sys.exit(3)
    print(r[0])
    sys.stdout.write(r[1].decode("utf-8", "replace"))


main()
