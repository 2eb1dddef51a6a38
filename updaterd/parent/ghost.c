/*
 * The ghost: a copy of the parent, forked right before the parent becomes
 * another program by exec.  It has two duties.
 *
 * It holds the way back.  The other program has a limit to say that it is
 * good; one that says nothing is killed.  When it dies without that word,
 * whatever it left is killed, and there is a start: by the service manager
 * where we have one, else by the ghost, which becomes the base program.
 * The counter on disk (selfstate.c) then tells that start what to do.
 *
 *	a manager		it starts the base; the ghost lets go of lock
 *				and sockets and ends
 *	in the background	nobody does: the ghost becomes the base, with
 *				lock and sockets: nobody is refused
 *	in the foreground	somebody may (a loop, a container): the ghost
 *				lets go, waits for that, and else is the base
 *
 * And it speaks with the old net, whose channel only it has now: so that
 * requests are answered while the other program starts, and nobody who is
 * connected is cut off.  When the new net serves, the old one is told to
 * accept no more, and the ghost stays until its last connection is gone.
 * What would change something is refused meanwhile.
 *
 * It has an event base of its own: what the parent's held, timers of
 * services and their output, is none of its business.
 */
#include <sys/types.h>
#include <sys/file.h>
#include <sys/socket.h>

#include <errno.h>
#include <event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "parent.h"
#include "reap.h"
#include "self.h"
#include "timer.h"
#include "update.h"
#include "util.h"

#include "compat/contain.h"

#define LINGER_MS	60000	/* for the old net's last connections */
#define DRAIN_MS	3000	/* the same when there is a start to come */
#define SOMEBODY_MS	10000	/* for another to start updaterd */
#define LOOK_MS		200	/* between looks whether one did */
#define GONE_MS		5000	/* for what was killed to be gone */

static int	 execfd = -1;		/* parent: closed by the exec */

static struct ghost {
	struct handover	 h;
	pid_t		 pid;		/* of the program that is watched */
	uint64_t	 start;		/* its start time */
	char		 mark[64];
	int		 ear;		/* our end */
	uint32_t	 limit_ms;
	uint64_t	 until;		/* monotonic ms, of the wait */
	int		 good;		/* no way back is needed */
	int		 quit;		/* it was told to stop */
	int		 over;		/* it is dead without that */
	int		 net;		/* the old one is there */
	int		 asked;		/* by SERVING */
	struct event	 ear_ev;
	struct event	 timer;
} g;

static void	 limit_over(int, short, void *);

/* --- ending ----------------------------------------------------------- */

static void __attribute__((noreturn))
leave(void)
{
	/* Handlers of the parent's libraries have nothing to do here. */
	_exit(0);
}

static void
wake_in(uint64_t ms, void (*fn)(int, short, void *))
{
	if (evtimer_initialized(&g.timer))
		evtimer_del(&g.timer);
	evtimer_set(&g.timer, fn, NULL);
	timer_in(&g.timer, ms);
}

static void
leave_ev(int fd, short event, void *arg)
{
	leave();
}

/* Lock and sockets are for whoever serves. */
static void
let_go(void)
{
	int	 i;

	for (i = 0; i < g.h.nlisten; i++)
		close(g.h.listen[i]);
	g.h.nlisten = 0;
	if (g.h.control != -1)
		close(g.h.control);
	g.h.control = -1;
}

static void
drain(void)
{
	if (g.net && children_drain() == -1)
		g.net = 0;
}

/* --- the way back ------------------------------------------------------ */

static void __attribute__((noreturn))
become_base(void)
{
	sigset_t	 none;

	g.h.chosen = g.h.trial = 0;
	g.h.watch = -1;
	g.h.id[0] = '\0';
	/* Not the control socket: the one that has died may have put another
	 * in its place, and nobody would find ours any more. */
	if (g.h.control != -1)
		close(g.h.control);
	g.h.control = -1;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	log_notice("start %s", g.h.base);
	(void)handover_exec(g.h.base, &g.h);
	log_warn("start %s", g.h.base);
	(void)handover_exec(proc_path(), &g.h);
	log_warn("start %s", proc_path());
	_exit(1);
}

static void
become_ev(int fd, short event, void *arg)
{
	become_base();
}

/* The foreground: has somebody started updaterd? */
static void
look(int fd, short event, void *arg)
{
	if (g.h.lock != -1) {
		if (flock(g.h.lock, LOCK_EX | LOCK_NB) == -1)
			leave();
		(void)flock(g.h.lock, LOCK_UN);
	}
	if (time_mono_ms() < g.until) {
		wake_in(LOOK_MS, look);
		return;
	}
	if (g.h.lock != -1)
		close(g.h.lock);
	g.h.lock = -1;
	become_base();
}

static void
way_back(void)
{
	uint64_t	 end = time_mono_ms() + GONE_MS;

	g.over = 1;
	event_del(&g.ear_ev);
	/* What it started may hold lock and sockets. */
	while (stray_sweep(g.mark, 0, SIGKILL) > 0 && time_mono_ms() < end)
		usleep(1000);
	drain();
	if (g.h.daemon && !g.h.manager) {
		if (g.net)
			wake_in(DRAIN_MS, become_ev);
		else
			become_base();
		return;
	}
	let_go();
	if (g.h.lock != -1)
		(void)flock(g.h.lock, LOCK_UN);
	if (g.h.manager) {
		if (!g.net)
			leave();
		if (g.h.lock != -1)
			close(g.h.lock);
		wake_in(DRAIN_MS, leave_ev);
		return;
	}
	g.until = time_mono_ms() + SOMEBODY_MS;
	wake_in(LOOK_MS, look);
}

static void
gone(void *arg, pid_t pid, int status)
{
	if (g.good || g.quit) {
		drain();
		if (!g.net)
			leave();
		wake_in(DRAIN_MS, leave_ev);
		return;
	}
	log_warnx("updaterd %s%sended before it had proved itself",
	    g.h.id, g.h.id[0] ? " " : "");
	way_back();
}

static void
limit_over(int fd, short event, void *arg)
{
	log_warnx("kill updaterd %s: it did not prove itself within %u ms",
	    g.h.id, g.limit_ms);
	if (pid_signal(g.pid, g.start, SIGKILL, pid_starttime) == -1 &&
	    errno != ESRCH)
		log_warn("kill process %ld", (long)g.pid);
}

/* --- what it hears ----------------------------------------------------- */

static void
tell(char c)
{
	if (write(g.ear, &c, 1) == -1 && errno != EPIPE)
		log_warn("answer the new updaterd");
}

static void
letter(char c)
{
	switch (c) {
	case GHOST_SERVING:
		g.asked = 1;
		drain();
		if (!g.net)
			tell(GHOST_DRAINED);
		break;
	case GHOST_BACK:
		wake_in(g.limit_ms, limit_over);
		break;
	case GHOST_GOOD:
	case GHOST_QUIT:
		g.good |= c == GHOST_GOOD;
		g.quit |= c == GHOST_QUIT;
		let_go();
		if (g.h.lock != -1)
			close(g.h.lock);
		g.h.lock = -1;
		if (!g.asked)
			drain();
		if (!g.net)
			leave();
		wake_in(LINGER_MS, leave_ev);
		break;
	}
}

static void
hear(int fd, short event, void *arg)
{
	char	 buf[16];
	ssize_t	 n, i;

	n = read(fd, buf, sizeof(buf));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	/* Its death is known by other means. */
	if (n <= 0)
		event_del(&g.ear_ev);
	for (i = 0; i < n; i++)
		letter(buf[i]);
}

static void
net_drained(void)
{
	if (g.asked && !g.over)
		tell(GHOST_DRAINED);
}

static void
net_gone(void)
{
	g.net = 0;
	if (g.over && g.h.daemon && !g.h.manager)
		become_base();
	if (g.good || g.quit || (g.over && g.h.manager))
		leave();
	net_drained();
}

/* --- its beginning ------------------------------------------------------ */

static void
reset_signals(void)
{
	struct sigaction	 sa;
	sigset_t		 none;
	int			 sig;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_DFL;
	sigemptyset(&sa.sa_mask);
	for (sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &sa, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn))
ghost_main(int waitfd)
{
	ssize_t	 n;
	char	 c;

	(void)setsid();
	reset_signals();
	log_procname("watch");
	setproctitle("watch");
	while ((n = read(waitfd, &c, 1)) == -1 && errno == EINTR)
		continue;
	if (n != 0)
		leave();		/* no exec: nothing has happened */
	close(waitfd);
	event_init();
	if (env != NULL) {
		env->ghost = 1;
		env->proc[PROC_PARENT].pid = g.pid;
		control_forget();
		push_forget();		/* with the others he is answered */
		g.net = children_ghost(net_drained, net_gone);
	}
	event_set(&g.ear_ev, g.ear, EV_READ | EV_PERSIST, hear, NULL);
	event_add(&g.ear_ev, NULL);
	wake_in(g.limit_ms, limit_over);
	if (pidwatch_add(g.pid, gone, NULL) == NULL)
		gone(NULL, g.pid, -1);
	event_dispatch();
	leave();
}

int
ghost_start(uint32_t ms, const struct handover *h)
{
	int	 sv[2], p[2], saved;
	pid_t	 pid;

	memset(&g, 0, sizeof(g));
	g.h = *h;
	g.limit_ms = ms;
	g.pid = getpid();
	g.start = pid_starttime(g.pid);
	snprintf(g.mark, sizeof(g.mark), PROC_TRIAL "=%ld.%lld", (long)g.pid,
	    (long long)time_real_us());
	if (pipe2(p, O_CLOEXEC) == -1)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0, sv) == -1)
		goto fail;
	if ((pid = fork()) == 0) {
		close(sv[0]);
		close(p[1]);
		g.ear = sv[1];
		ghost_main(p[0]);
	}
	saved = errno;
	close(sv[1]);
	close(p[0]);
	errno = saved;
	if (pid == -1) {
		close(sv[0]);
		close(p[1]);
		errno = saved;
		return -1;
	}
	execfd = p[1];
	handover.watch = sv[0];
	(void)setenv(PROC_TRIAL, strchr(g.mark, '=') + 1, 1);
	return 0;
 fail:
	saved = errno;
	close(p[0]);
	close(p[1]);
	errno = saved;
	return -1;
}

void
ghost_cancel(void)
{
	unsetenv(PROC_TRIAL);
	if (execfd == -1)
		return;
	if (write(execfd, "x", 1) == -1)
		log_warn("call off the watch");
	close(execfd);
	execfd = -1;
	close(handover.watch);
	handover.watch = -1;
}

void
ghost_tell(char c)
{
	if (c != GHOST_SERVING)
		unsetenv(PROC_TRIAL);
	if (handover.watch != -1 && write(handover.watch, &c, 1) == -1 &&
	    errno != EPIPE)
		log_warn("tell the watch");
	if (handover.watch != -1 && (c == GHOST_GOOD || c == GHOST_QUIT)) {
		close(handover.watch);
		handover.watch = -1;
	}
}
