/*
 * Starting our own processes, and the channel to them in the event loop.
 * This program is its own child: exec with -T lands in child_main().
 */
/* LINK: updaterd/proc.o common/imsgev.o common/proto.o common/compat/imsg.o common/compat/osproc-linux.o common/util.o common/log.o */
#include <sys/types.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "proc.h"
#include "util.h"

#define PATIENCE_S	20
#define WORDS		300	/* messages a child sends before it exits */

extern char	**environ;

/* What the parent asks of the child. */
enum { ASK_REPORT = 1, ASK_LAST_WORDS, ASK_GARBAGE, ASK_FD, ASK_QUIT };

struct report {
	uint32_t	 uid, gid, verbose, to_stderr;
	uint32_t	 fds;		/* open, other than 0 to 3 */
	uint32_t	 leader;	/* of a session of its own */
	uint32_t	 ignored;	/* signals it should not die of */
	uint32_t	 dumpable;
	uint32_t	 path;		/* PATH, TZ, and no other variable */
	uint32_t	 cloexec;
	char		 chroot[64];
};

/* --- the child ------------------------------------------------------- */

static void
child_report(struct imsgbuf *ib, const struct proc_args *args)
{
	static const int	 sigs[] = { SIGPIPE, SIGHUP, SIGUSR1, SIGINT,
				    SIGTERM };
	struct report		 r;
	struct sigaction	 sa;
	size_t			 i;
	int			 fd;

	memset(&r, 0, sizeof(r));
	r.uid = args->uid;
	r.gid = args->gid;
	r.verbose = (uint32_t)args->verbose;
	r.to_stderr = (uint32_t)args->to_stderr;
	strlcpy(r.chroot, args->chroot, sizeof(r.chroot));
	for (fd = 4; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			r.fds++;
	r.leader = getsid(0) == getpid();
	for (i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++) {
		sigaction(sigs[i], NULL, &sa);
		r.ignored += sa.sa_handler == SIG_IGN;
	}
	sigaction(SIGCHLD, NULL, &sa);
	r.ignored += sa.sa_handler == SIG_DFL;
	r.dumpable = (uint32_t)prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	for (i = 0; environ[i] != NULL; i++)
		if (strncmp(environ[i], "PATH=", 5) == 0 ||
		    strcmp(environ[i], "TZ=UTC0") == 0)
			r.path++;
		else
			r.path += 100;
	r.cloexec = (fcntl(PROC_FD, F_GETFD) & FD_CLOEXEC) != 0;
	imsg_compose(ib, ASK_REPORT, 0, 0, -1, &r, sizeof(r));
	imsgbuf_flush(ib);
}

static void __attribute__((noreturn))
child_main(int argc, char **argv)
{
	struct proc_args	 args;
	struct imsgbuf		 ib;
	struct imsg		 imsg;
	uint32_t		 i;

	proc_child(PROC_NET, argc, argv, &args);
	imsgbuf_init(&ib, PROC_FD);
	imsgbuf_allow_fdpass(&ib);
	for (;;) {
		usleep(500);		/* not under test here */
		if (imsgbuf_read(&ib) != 1)
			_exit(7);	/* the parent has gone */
		if (imsg_get(&ib, &imsg) <= 0)
			continue;
		switch (imsg_get_type(&imsg)) {
		case ASK_REPORT:
			child_report(&ib, &args);
			break;
		case ASK_LAST_WORDS:
			for (i = 0; i < WORDS; i++)
				imsg_compose(&ib, ASK_LAST_WORDS, 0, 0, -1,
				    &i, sizeof(i));
			imsgbuf_flush(&ib);
			_exit(3);
		case ASK_GARBAGE:
			if (write(PROC_FD, "this is no message", 18) == -1)
				_exit(1);
			break;
		case ASK_FD:
			imsg_compose(&ib, ASK_FD, 0, 0, imsg_get_fd(&imsg),
			    "fd", 2);
			imsgbuf_flush(&ib);
			break;
		case ASK_QUIT:
			_exit(0);
		}
		imsg_free(&imsg);
	}
}

/* --- the parent ------------------------------------------------------ */

struct seen {
	struct proc	*p;
	int		 recvs, deads, error;
	uint32_t	 next;		/* of the last words */
	struct report	 report;
	int		 fd;
	int		 refuse;	/* recv returns -1 */
	int		 free_it;	/* recv kills and frees the proc */
};

static void
too_late(int fd, short ev, void *arg)
{
	*(int *)arg = 1;
	event_loopbreak();
}

static int
got(struct imsgev *iev, struct imsg *imsg, void *arg)
{
	struct seen	*s = arg;
	uint32_t	 n;

	s->recvs++;
	event_loopbreak();
	if (s->refuse)
		return -1;
	if (s->free_it) {
		kill(s->p->pid, SIGKILL);
		waitpid(s->p->pid, NULL, 0);
		proc_kill(s->p);
		free(s->p);
		s->p = NULL;
		return 0;
	}
	switch (imsg_get_type(imsg)) {
	case ASK_REPORT:
		return imsg_get_data(imsg, &s->report, sizeof(s->report));
	case ASK_LAST_WORDS:
		if (imsg_get_data(imsg, &n, sizeof(n)) == -1 ||
		    n != s->next++)
			return -1;
		return 0;
	case ASK_FD:
		s->fd = imsg_get_fd(imsg);
		return 0;
	}
	return -1;
}

static void
dead(struct imsgev *iev, int error, void *arg)
{
	struct seen	*s = arg;

	s->deads++;
	s->error = error;
	event_loopbreak();
}

static void
wait_until(struct seen *s, int recvs, int deads)
{
	struct timeval	 tv = { PATIENCE_S, 0 };
	struct event	 ev;
	int		 late = 0;

	evtimer_set(&ev, too_late, &late);
	evtimer_add(&ev, &tv);
	while ((s->recvs < recvs || s->deads < deads) && !late)
		event_dispatch();
	evtimer_del(&ev);
	assert_true(s->recvs >= recvs);
	assert_int_equal(s->deads, deads);
}

static void
begin(struct proc *p, struct seen *s)
{
	struct proc_args	 args = { 12345, 23456, "/var/empty", 1, 1 };

	memset(s, 0, sizeof(*s));
	s->p = p;
	s->fd = -1;
	assert_int_equal(proc_start(p, PROC_NET, &args, got, dead, s), 0);
	assert_true(p->pid > 1);
}

static int
end(struct proc *p)
{
	pid_t	 pid = p->pid;
	int	 st;

	proc_kill(p);
	proc_kill(p);			/* harmless */
	assert_int_equal(p->pid, 0);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	return st;
}

static void
clean_start(void **state)
{
	struct proc	 p;
	struct seen	 s;
	int		 leak;

	leak = dup(0);			/* without close-on-exec */
	begin(&p, &s);
	assert_int_equal(imsgev_compose(&p.iev, ASK_REPORT, -1, NULL, 0), 0);
	wait_until(&s, 1, 0);
	close(leak);
	assert_int_equal(s.report.uid, 12345);
	assert_int_equal(s.report.gid, 23456);
	assert_string_equal(s.report.chroot, "/var/empty");
	assert_int_equal(s.report.verbose, 1);
	assert_int_equal(s.report.to_stderr, 1);
	assert_int_equal(s.report.fds, 0);
	assert_int_equal(s.report.leader, 1);
	assert_int_equal(s.report.ignored, 6);
	assert_int_equal(s.report.dumpable, 0);
	assert_int_equal(s.report.path, 2);
	assert_int_equal(s.report.cloexec, 1);
	assert_int_equal(end(&p), SIGKILL);
}

static void
ends_with_channel(void **state)
{
	struct proc	 p;
	struct seen	 s;
	pid_t		 pid;
	int		 st;

	begin(&p, &s);
	imsgev_compose(&p.iev, ASK_REPORT, -1, NULL, 0);
	wait_until(&s, 1, 0);
	pid = p.pid;
	kill(pid, SIGTERM);		/* ignored */
	kill(pid, SIGINT);
	imsgev_close(&p.iev);
	imsgev_close(&p.iev);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(st, 7 << 8);
	assert_int_equal(s.deads, 0);
	assert_int_equal(imsgev_compose(&p.iev, ASK_REPORT, -1, NULL, 0), -1);
}

static void
last_words(void **state)
{
	struct proc	 p;
	struct seen	 s;
	int		 st, i;
	pid_t		 pid;

	begin(&p, &s);
	pid = p.pid;
	imsgev_compose(&p.iev, ASK_LAST_WORDS, -1, NULL, 0);
	imsgev_flush(&p.iev);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	/* It has gone; we still talk, and still hear all it said. */
	for (i = 0; i < 10; i++)
		assert_int_equal(imsgev_compose(&p.iev, ASK_QUIT, -1, NULL,
		    0), 0);
	wait_until(&s, WORDS, 1);
	assert_int_equal(s.next, WORDS);
	assert_int_equal(s.error, 0);
	p.pid = 0;
	proc_kill(&p);
}

static void
garbage(void **state)
{
	struct proc	 p;
	struct seen	 s;

	begin(&p, &s);
	imsgev_compose(&p.iev, ASK_GARBAGE, -1, NULL, 0);
	wait_until(&s, 0, 1);
	assert_int_equal(s.error, 1);
	end(&p);
}

static void
refused(void **state)
{
	struct proc	 p;
	struct seen	 s;

	begin(&p, &s);
	s.refuse = 1;
	imsgev_compose(&p.iev, ASK_REPORT, -1, NULL, 0);
	wait_until(&s, 1, 1);
	assert_int_equal(s.error, 1);
	end(&p);
}

static void
freed_in_handler(void **state)
{
	struct proc	*p;
	struct seen	 s;

	assert_non_null(p = malloc(sizeof(*p)));
	begin(p, &s);
	s.free_it = 1;
	imsgev_compose(&p->iev, ASK_REPORT, -1, NULL, 0);
	wait_until(&s, 1, 0);
	assert_null(s.p);
}

static void
descriptor_passed(void **state)
{
	struct proc	 p;
	struct seen	 s;
	struct stat	 a, b;

	begin(&p, &s);
	assert_int_equal(imsgev_compose(&p.iev, ASK_FD,
	    open("/etc/passwd", O_RDONLY | O_CLOEXEC), NULL, 0), 0);
	wait_until(&s, 1, 0);
	assert_int_not_equal(s.fd, -1);
	assert_int_equal(fstat(s.fd, &a), 0);
	assert_int_equal(stat("/etc/passwd", &b), 0);
	assert_true(a.st_ino == b.st_ino);
	close(s.fd);
	end(&p);
}

/* Out of descriptors: the message waits until there is one. */
static void
no_descriptor_free(void **state)
{
	struct timeval	 tv = { 0, 300000 };
	struct rlimit	 rl, old;
	struct proc	 p;
	struct seen	 s;

	begin(&p, &s);
	assert_int_equal(imsgev_compose(&p.iev, ASK_FD,
	    open("/etc/passwd", O_RDONLY | O_CLOEXEC), NULL, 0), 0);
	imsgev_flush(&p.iev);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	rl = old;
	rl.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &rl), 0);
	event_loopexit(&tv);
	event_dispatch();
	assert_int_equal(s.recvs, 0);
	assert_int_equal(s.deads, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	wait_until(&s, 1, 0);
	assert_int_not_equal(s.fd, -1);
	close(s.fd);
	end(&p);
}

/* Run our own program with these arguments, with or without a socket on
 * descriptor 3; 1 if it refuses. */
static int
refuses(char **argv, int channel)
{
	pid_t	 pid;
	int	 st, null, sv[2];

	if ((pid = fork()) == 0) {
		null = open("/dev/null", O_RDWR);
		dup2(null, STDERR_FILENO);
		/* With a channel it would find its parent gone, and exit 7. */
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
			_exit(0);
		if (channel)
			dup2(sv[0], PROC_FD);
		else
			dup2(null, PROC_FD);
		closefrom(PROC_FD + 1);
		execv(proc_path(), argv);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	return st == 1 << 8;
}

static void
odd_arguments(void **state)
{
	char	*root[] = { "t", "-T", "net", "-u", "0", "-g", "1", NULL };
	char	*none[] = { "t", "-T", "net", NULL };
	char	*rel[] = { "t", "-T", "net", "-u", "1", "-g", "1", "-c", "x",
		    NULL };
	char	*minus[] = { "t", "-T", "net", "-u", "4294967295", "-g", "1",
		    NULL };
	char	*more[] = { "t", "-T", "net", "-u", "1", "-g", "1", "x",
		    NULL };
	char	*good[] = { "t", "-T", "net", "-u", "1", "-g", "1", NULL };

	assert_false(refuses(good, 1));
	assert_true(refuses(good, 0));
	assert_true(refuses(root, 1));
	assert_true(refuses(none, 1));
	assert_true(refuses(rel, 1));
	assert_true(refuses(minus, 1));
	assert_true(refuses(more, 1));
}

static int
start(void **state)
{
	/* Of this test's own, so that a child that keeps it is seen. */
	signal(SIGUSR2, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	event_init();
	return proc_setpath(NULL);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(clean_start),
		cmocka_unit_test(ends_with_channel),
		cmocka_unit_test(last_words), cmocka_unit_test(garbage),
		cmocka_unit_test(refused),
		cmocka_unit_test(freed_in_handler),
		cmocka_unit_test(descriptor_passed),
		cmocka_unit_test(no_descriptor_free),
		cmocka_unit_test(odd_arguments)
	};

	if (argc >= 3 && strcmp(argv[1], "-T") == 0)
		child_main(argc, argv);
	log_init("test", 1, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, start, NULL);
}
