/*
 * A small real agent for the tests and the demo: an HTTPS server that
 * wants a client certificate and answers GET /health.
 *
 *	agent --port N --cert F --key F --ca F [--files DIR] [--http]
 *	agent --free-port
 *	agent --loopback
 *
 * How it behaves is part of its release: the file `behaviour` in the
 * working directory, one word a line:
 *	good		the default
 *	exit-at-once[=N]	complain and exit N (1) before listening
 *	answer-500	every health check is answered 500
 *	never-answer	accept, and say nothing
 *	slow-start=MS	begin to listen after so long
 *	crash-after=MS	abort after so long
 *	sick-after=MS	then every health check is answered 500
 *	ignore-term	ignore SIGTERM
 *	child		a child of the same group that ignores SIGTERM
 *	chatter=N	N lines of 64 bytes on standard error at the start
 * The file VERSION names it.  With --files, GET /file/NAME sends a file of
 * that directory: the other side of the throughput measurement.
 *
 * One client at a time; that is all a health check needs.  Standard error
 * tells start, listen and stop with a monotonic time in microseconds, from
 * which the benchmarks reckon the downtime that is the service's own.
 */
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tls.h>

#define CLIENT_TIMEOUT	5		/* seconds for one read or write */
#define HELD_MAX	256		/* clients that never get an answer */
#define CHUNK		(256 * 1024)	/* bytes of a file at a time */
#define PORT_LOW	20000		/* below the ephemeral ports */
#define PORT_COUNT	12000

struct behaviour {
	int	 exit_code;		/* -1: none */
	int	 answer_500;
	int	 never_answer;
	int	 ignore_term;
	int	 child;
	long	 slow_start;		/* milliseconds */
	long	 crash_after;		/* milliseconds */
	long	 sick_after;		/* milliseconds */
	long	 chatter;		/* lines */
};

struct client {
	int		 fd;
	struct tls	*tls;		/* NULL: plain */
};

static char version[64] = "none";
static long long started;		/* microseconds */

static long long
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static void
on_term(int sig)
{
	char		 buf[96];
	int		 n;

	n = snprintf(buf, sizeof(buf), "agent: stop at %lld us\n", now_us());
	if (write(STDERR_FILENO, buf, n) == -1)
		_exit(1);
	_exit(0);
}

static void
on_alarm(int sig)
{
	static const char msg[] = "agent: panic: assertion failed\n";

	if (write(STDERR_FILENO, msg, sizeof(msg) - 1) == -1)
		_exit(1);
	abort();
}

static void
sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&ts, &ts) == -1 && errno == EINTR)
		continue;
}

static long
value(const char *line)
{
	const char *eq = strchr(line, '=');

	return eq == NULL ? 1 : strtol(eq + 1, NULL, 10);
}

static void
read_behaviour(struct behaviour *b)
{
	char	 line[128];
	FILE	*f;

	memset(b, 0, sizeof(*b));
	b->exit_code = -1;
	if ((f = fopen("VERSION", "r")) != NULL) {
		if (fgets(version, sizeof(version), f) != NULL)
			version[strcspn(version, "\r\n")] = '\0';
		fclose(f);
	}
	if ((f = fopen("behaviour", "r")) == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		if (strncmp(line, "exit-at-once", 12) == 0)
			b->exit_code = (int)value(line);
		else if (strcmp(line, "answer-500") == 0)
			b->answer_500 = 1;
		else if (strcmp(line, "never-answer") == 0)
			b->never_answer = 1;
		else if (strcmp(line, "ignore-term") == 0)
			b->ignore_term = 1;
		else if (strcmp(line, "child") == 0)
			b->child = 1;
		else if (strncmp(line, "slow-start=", 11) == 0)
			b->slow_start = value(line);
		else if (strncmp(line, "crash-after=", 12) == 0)
			b->crash_after = value(line);
		else if (strncmp(line, "sick-after=", 11) == 0)
			b->sick_after = value(line);
		else if (strncmp(line, "chatter=", 8) == 0)
			b->chatter = value(line);
		else if (line[0] != '\0' && strcmp(line, "good") != 0)
			errx(2, "unknown behaviour: %s", line);
	}
	fclose(f);
}

static int
listen_on(int port, int backlog)
{
	struct sockaddr_in	 sin;
	int			 fd, on = 1;

	if ((fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		err(1, "socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1)
		err(1, "setsockopt");
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons(port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(fd, backlog) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The loopback interface of a name space that was just made is down. */
static int
loopback_up(void)
{
	struct ifreq	 ifr;
	int		 fd;

	if ((fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		err(1, "socket");
	memset(&ifr, 0, sizeof(ifr));
	memcpy(ifr.ifr_name, "lo", sizeof("lo"));
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) == -1)
		err(1, "loopback interface");
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr) == -1)
		err(1, "cannot bring up the loopback interface");
	close(fd);
	return 0;
}

/* Print a port that nobody uses, outside the range that connect(2) takes
 * from. */
static int
free_port(void)
{
	struct timespec	 ts;
	unsigned int	 seed;
	int		 fd, i, port;

	clock_gettime(CLOCK_REALTIME, &ts);
	seed = (unsigned int)ts.tv_nsec ^ (unsigned int)getpid() * 7919U;
	for (i = 0; i < 1000; i++) {
		seed = seed * 1103515245U + 12345U;
		port = PORT_LOW + (int)(seed >> 8) % PORT_COUNT;
		if ((fd = listen_on(port, 1)) != -1) {
			close(fd);
			printf("%d\n", port);
			return 0;
		}
	}
	errx(1, "no free port");
}

static ssize_t
client_read(struct client *c, void *buf, size_t len)
{
	ssize_t n;

	if (c->tls == NULL)
		return read(c->fd, buf, len);
	/* On a blocking socket WANT_POLLIN is a timeout: negative, too. */
	do {
		n = tls_read(c->tls, buf, len);
	} while (n == TLS_WANT_POLLOUT);
	return n;
}

static int
client_write(struct client *c, const char *buf, size_t len)
{
	ssize_t n;

	while (len > 0) {
		if (c->tls == NULL)
			n = write(c->fd, buf, len);
		else
			n = tls_write(c->tls, buf, len);
		if (n <= 0)
			return -1;
		buf += n;
		len -= n;
	}
	return 0;
}

static void
client_close(struct client *c)
{
	if (c->tls != NULL) {
		tls_close(c->tls);
		tls_free(c->tls);
	}
	close(c->fd);
}

static void
send_file(struct client *c, int dir, const char *name)
{
	static const char not_found[] = "HTTP/1.1 404 Not Found\r\n"
	    "Content-Length: 0\r\nConnection: close\r\n\r\n";
	static char	 buf[CHUNK];
	char		 head[256];
	struct stat	 st;
	ssize_t		 n;
	int		 fd;

	if (dir == -1 || strchr(name, '/') != NULL || name[0] == '.' ||
	    (fd = openat(dir, name, O_RDONLY | O_CLOEXEC)) == -1 ||
	    fstat(fd, &st) == -1) {
		client_write(c, not_found, sizeof(not_found) - 1);
		return;
	}
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n"
	    "Content-Length: %lld\r\nConnection: close\r\n\r\n",
	    (long long)st.st_size);
	if (client_write(c, head, strlen(head)) == 0)
		while ((n = read(fd, buf, sizeof(buf))) > 0)
			if (client_write(c, buf, n) == -1)
				break;
	close(fd);
}

static void
answer(struct client *c, const struct behaviour *b, int dir)
{
	char	 req[4096], name[128], out[512], body[160];
	size_t	 len = 0;
	ssize_t	 n;
	int	 bad;

	for (;;) {
		n = client_read(c, req + len, sizeof(req) - 1 - len);
		if (n <= 0)
			return;
		len += n;
		req[len] = '\0';
		if (strstr(req, "\r\n\r\n") != NULL)
			break;
		if (len == sizeof(req) - 1)
			return;
	}
	if (sscanf(req, "GET /file/%127[^ ] ", name) == 1) {
		send_file(c, dir, name);
		return;
	}
	bad = b->answer_500 || (b->sick_after != 0 &&
	    now_us() - started > b->sick_after * 1000LL);
	snprintf(body, sizeof(body), "{\"status\":\"%s\",\"version\":\"%s\"}",
	    bad ? "broken" : "ok", version);
	if (bad)
		fprintf(stderr, "agent: error: cannot open database\n");
	snprintf(out, sizeof(out), "HTTP/1.1 %s\r\n"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n"
	    "Connection: close\r\n\r\n%s",
	    bad ? "500 Internal Server Error" : "200 OK",
	    strlen(body), body);
	client_write(c, out, strlen(out));
}

static struct tls *
make_tls(const char *cert, const char *key, const char *ca)
{
	struct tls_config	*cfg;
	struct tls		*ctx;

	if ((cfg = tls_config_new()) == NULL || (ctx = tls_server()) == NULL)
		errx(1, "out of memory");
	if (tls_config_set_keypair_file(cfg, cert, key) == -1 ||
	    tls_config_set_ca_file(cfg, ca) == -1)
		errx(1, "%s", tls_config_error(cfg));
	tls_config_verify_client(cfg);
	if (tls_configure(ctx, cfg) == -1)
		errx(1, "%s", tls_error(ctx));
	tls_config_free(cfg);
	return ctx;
}

static void
serve(int lfd, struct tls *ctx, const struct behaviour *b, int dir)
{
	struct timeval	 tv = { CLIENT_TIMEOUT, 0 };
	struct client	 c;
	int		 held[HELD_MAX], nheld = 0, r;

	for (;;) {
		memset(&c, 0, sizeof(c));
		c.fd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
		if (c.fd == -1)
			continue;
		if (b->never_answer) {
			if (nheld == HELD_MAX) {
				while (nheld > 0)
					close(held[--nheld]);
			}
			held[nheld++] = c.fd;
			continue;
		}
		setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		setsockopt(c.fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
		if (ctx != NULL) {
			if (tls_accept_socket(ctx, &c.tls, c.fd) == -1) {
				close(c.fd);
				continue;
			}
			/* On a blocking socket WANT_POLLIN is a timeout. */
			while ((r = tls_handshake(c.tls)) == TLS_WANT_POLLOUT)
				continue;
			if (r != 0) {
				fprintf(stderr, "agent: refuse client: %s\n",
				    r == -1 ? tls_error(c.tls) : "too slow");
				client_close(&c);
				continue;
			}
		}
		answer(&c, b, dir);
		client_close(&c);
	}
}

static void
notify_ready(void)
{
	const char *s;

	if ((s = getenv("NOTIFY_FD")) != NULL)
		if (write(atoi(s), "\n", 1) != 1)
			warn("notify");
}

/* Set up what the behaviour wants before the agent listens. */
static void
begin(const struct behaviour *b)
{
	long i;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, b->ignore_term ? SIG_IGN : on_term);
	for (i = 0; i < b->chatter; i++)
		fprintf(stderr, "agent: chatter %010ld "
		    "abcdefghijklmnopqrstuvwxyz0123456789\n", i);
	if (b->exit_code != -1) {
		fprintf(stderr, "agent: error: configuration key \"colour\" "
		    "is missing\n");
		exit(b->exit_code);
	}
	if (b->child && fork() == 0) {
		signal(SIGTERM, SIG_IGN);
		for (;;)
			pause();
	}
	if (b->slow_start != 0)
		sleep_ms(b->slow_start);
}

int
main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "cert", required_argument, NULL, 'c' },
		{ "key", required_argument, NULL, 'k' },
		{ "ca", required_argument, NULL, 'a' },
		{ "files", required_argument, NULL, 'f' },
		{ "http", no_argument, NULL, 'h' },
		{ "free-port", no_argument, NULL, 'F' },
		{ "loopback", no_argument, NULL, 'L' },
		{ NULL, 0, NULL, 0 }
	};
	struct behaviour b;
	struct tls	*ctx = NULL;
	const char	*cert = NULL, *key = NULL, *ca = NULL;
	int		 ch, dir = -1, http = 0, lfd, port = 0;

	started = now_us();
	while ((ch = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		switch (ch) {
		case 'p':
			port = atoi(optarg);
			break;
		case 'c':
			cert = optarg;
			break;
		case 'k':
			key = optarg;
			break;
		case 'a':
			ca = optarg;
			break;
		case 'f':
			if ((dir = open(optarg, O_RDONLY | O_CLOEXEC)) == -1)
				err(1, "%s", optarg);
			break;
		case 'h':
			http = 1;
			break;
		case 'F':
			return free_port();
		case 'L':
			return loopback_up();
		default:
			return 2;
		}
	}
	read_behaviour(&b);
	fprintf(stderr, "agent: start %s at %lld us\n", version, started);
	begin(&b);
	if (!http) {
		if (cert == NULL || key == NULL || ca == NULL)
			errx(2, "--cert, --key and --ca, or --http");
		ctx = make_tls(cert, key, ca);
	}
	if ((lfd = listen_on(port, 64)) == -1)
		err(1, "listen on port %d", port);
	fprintf(stderr, "agent: listen on port %d at %lld us\n", port,
	    now_us());
	notify_ready();
	if (b.crash_after != 0) {
		struct itimerval it = { { 0, 0 }, { b.crash_after / 1000,
		    b.crash_after % 1000 * 1000 } };

		signal(SIGALRM, on_alarm);
		setitimer(ITIMER_REAL, &it, NULL);
	}
	serve(lfd, ctx, &b, dir);
	return 0;
}
