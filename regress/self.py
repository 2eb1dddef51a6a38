"""Update updaterd itself, to and fro, N times: each time the other archive is
put to /update-self, and /health is asked until it is that release that
answers and it is no longer on trial.  Prints how it goes; exit 1 at the
first that does not come."""
import argparse
import hashlib
import http.client
import json
import ssl
import sys
import time


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--port", type=int, required=True)
    p.add_argument("--certs", required=True)
    p.add_argument("--count", type=int, default=10)
    p.add_argument("--within", type=float, default=60)
    p.add_argument("archives", nargs=2)
    a = p.parse_args()
    tls = ssl.create_default_context(cafile=a.certs + "/ca.crt")
    tls.load_cert_chain(a.certs + "/master.crt", a.certs + "/master.key")
    bodies = [open(f, "rb").read() for f in a.archives]
    sums = [hashlib.sha256(b).hexdigest() for b in bodies]

    def ask(method, path, body=None):
        c = http.client.HTTPSConnection("127.0.0.1", a.port, context=tls,
                                        timeout=60)
        try:
            c.request(method, path, body,
                      {"Content-Type": "application/gzip"} if body else {})
            r = c.getresponse()
            return r.status, json.loads(r.read())
        finally:
            c.close()

    took = []
    for i in range(a.count):
        k = i % 2
        begin = time.monotonic()
        while True:
            status, answer = ask("PUT", "/update-self?confirm_self=true&sha="
                                 "n%d&sha256=%s" % (i, sums[k]), bodies[k])
            # The one before has answered that it is good, and cleans up.
            if status != 423 or time.monotonic() - begin > a.within:
                break
            time.sleep(0.01)
        if status != 200 or answer.get("status") != "self_update_queued":
            print("update %d: %d %s" % (i, status, answer))
            sys.exit(1)
        want = answer["release"]["id"]
        while True:
            status, answer = ask("GET", "/health")
            me = answer.get("self") or {}
            if me.get("id") == want and not me["trial"]:
                break
            if time.monotonic() - begin > a.within or \
                    (me.get("failed") or {}).get("id") == want:
                print("update %d: %s" % (i, me))
                sys.exit(1)
            time.sleep(0.01)
        took.append(time.monotonic() - begin)
        if (i + 1) % 50 == 0:
            print("%d updates" % (i + 1), flush=True)
    took.sort()
    print("%d updates, each %.0f ms, at most %.0f ms" %
          (len(took), took[len(took) // 2] * 1000, took[-1] * 1000))


main()
