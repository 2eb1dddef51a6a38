#!/usr/bin/env python3
"""Hold one TLS connection and send requests over it as told.

usage: hold.py PORT CERTS NAME	reads `METHOD PATH` lines, or `wait`;
				answers each with a line: the status, or
				`closed`; `wait` waits for the daemon to close
The first line printed is the fingerprint of the certificate it met.
"""
import hashlib
import http.client
import socket
import ssl
import sys


def main():
    port, certs, name = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    ctx = ssl.create_default_context(cafile=certs + '/ca.crt')
    ctx.load_cert_chain('%s/%s.crt' % (certs, name),
                        '%s/%s.key' % (certs, name))
    conn = http.client.HTTPSConnection('127.0.0.1', port, context=ctx,
                                       timeout=15)
    conn.connect()
    conn.auto_open = 0          # never a second one
    seen = conn.sock.getpeercert(binary_form=True)
    print(hashlib.sha256(seen).hexdigest(), flush=True)
    for line in sys.stdin:
        words = line.split()
        try:
            if words == ['wait']:
                # Data would be a fault, too: nothing was asked for.
                print('closed' if conn.sock.recv(1) == b'' else 'data',
                      flush=True)
                continue
            conn.request(*words)
            answer = conn.getresponse()
            answer.read()
            print(answer.status, flush=True)
        except socket.timeout:
            print('timeout', flush=True)
        except (OSError, http.client.HTTPException):
            print('closed', flush=True)


if __name__ == '__main__':
    main()
