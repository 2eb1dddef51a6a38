"""Clients that ask /health in a tight loop, until a file is there: each with
a new connection every time, or with one as long as it is kept.  Counts what
was answered, and each request that was not: refused, cut off, or not 200.
A connection that is kept may be closed by the server between two requests
only if it said so.  Exit 0: all were answered."""
import argparse
import http.client
import os
import ssl
import sys
import threading
import time


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--port", type=int, required=True)
    p.add_argument("--certs", required=True)
    p.add_argument("--until", required=True)
    p.add_argument("--clients", type=int, default=2)
    p.add_argument("--pause", type=float, default=0.005)
    a = p.parse_args()
    tls = ssl.create_default_context(cafile=a.certs + "/ca.crt")
    tls.load_cert_chain(a.certs + "/master.crt", a.certs + "/master.key")
    lock = threading.Lock()
    good, bad, longest, versions = [0], [], [0.0], {}

    def connect():
        return http.client.HTTPSConnection("127.0.0.1", a.port, context=tls,
                                           timeout=30)

    def client(keep):
        c = None
        while not os.path.exists(a.until):
            begin = time.monotonic()
            try:
                if c is None:
                    c = connect()
                c.request("GET", "/health")
                r = c.getresponse()
                body = r.read()
                if r.status != 200:
                    raise OSError("status %d" % r.status)
                if not keep or r.will_close:
                    c.close()
                    c = None
                with lock:
                    good[0] += 1
                    longest[0] = max(longest[0], time.monotonic() - begin)
                    v = body.split(b'"version":"')[1].split(b'"')[0].decode()
                    versions[v] = versions.get(v, 0) + 1
                    if good[0] == 1:
                        print("first", flush=True)
            except Exception as e:
                with lock:
                    bad.append("%s: %r" % ("kept" if keep else "new", e))
                if c is not None:
                    c.close()
                c = None
            time.sleep(a.pause)

    threads = [threading.Thread(target=client, args=(i % 2 == 1,))
               for i in range(a.clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for b in bad[:5]:
        print(b)
    print("%d answered, %d not, the longest took %.0f ms, %s" %
          (good[0], len(bad), longest[0] * 1000, versions))
    sys.exit(1 if bad or not good[0] else 0)


main()
