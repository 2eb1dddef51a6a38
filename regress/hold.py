#!/usr/bin/env python3
"""Hold one TLS connection and send requests over it as told.

usage: hold.py PORT CERTS NAME [late]
				reads `METHOD PATH` lines, or `wait`;
				answers each with a line: the status, or
				`closed`; `wait` waits for the daemon to close
The first line printed is the fingerprint of the certificate it met.  A line
`half METHOD PATH` sends what is not yet all of a head, and is answered `sent`;
any line behind it sends the rest, and is answered status and `Connection`.
With `late` the first line is `connected`, and the handshake begins when the
first line is read, whose answer is the fingerprint.
"""
import hashlib
import http.client
import socket
import ssl
import sys


class Held(http.client.HTTPSConnection):
    """Made of a socket that is there already, and never a second time."""

    def __init__(self, sock, port, ctx):
        super().__init__('127.0.0.1', port, context=ctx)
        self.plain = sock
        self.auto_open = 0

    def connect(self):
        self.sock = self._context.wrap_socket(self.plain,
                                              server_hostname=self.host)

    def half(self, method, path):
        self.sock.sendall(('%s %s HTTP/1.1\r\n' % (method, path)).encode())

    def rest(self):
        self.sock.sendall(b'Host: localhost\r\n\r\n')
        answer = http.client.HTTPResponse(self.sock)
        answer.begin()
        return answer


def answers(conn):
    """What each line that is read comes to."""
    halved = False
    for line in sys.stdin:
        words = line.split()
        try:
            if halved:
                halved = False
                answer = conn.rest()
                yield '%d %s' % (answer.status,
                                 answer.getheader('Connection'))
            elif words[0] == 'half':
                conn.half(*words[1:])
                halved = True
                yield 'sent'
            elif words == ['wait']:
                # Data would be a fault, too: nothing was asked for.
                yield 'closed' if conn.sock.recv(1) == b'' else 'data'
            else:
                conn.request(*words)
                answer = conn.getresponse()
                answer.read()
                yield answer.status
        except socket.timeout:
            yield 'timeout'
        except (OSError, http.client.HTTPException):
            yield 'closed'


def main():
    port, certs, name = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    ctx = ssl.create_default_context(cafile=certs + '/ca.crt')
    ctx.load_cert_chain('%s/%s.crt' % (certs, name),
                        '%s/%s.key' % (certs, name))
    sock = socket.create_connection(('127.0.0.1', port), timeout=120)
    if sys.argv[4:] == ['late']:
        print('connected', flush=True)
        sys.stdin.readline()
    conn = Held(sock, port, ctx)
    conn.connect()
    seen = conn.sock.getpeercert(binary_form=True)
    print(hashlib.sha256(seen).hexdigest(), flush=True)
    for answer in answers(conn):
        print(answer, flush=True)


if __name__ == '__main__':
    main()
