/*
 * Make one system call of a traced process fail.
 *
 * strace(1) would do for the parent, but not for what is locked in: it
 * makes a call fail by turning it into number -1, which a filter answers
 * with death.  Here the call keeps its number and gets an argument that
 * makes it fail by itself; its result is then overwritten.
 */
#include <sys/types.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#include <elf.h>
#include <err.h>
#include <limits.h>

#include "spoil.h"

#if defined(__x86_64__)
#define REG_ARG0	rdi
#define REG_ARG1	rsi
#define REG_ARG2	rdx
#define REG_RESULT	rax
typedef struct user_regs_struct regs_t;
#elif defined(__aarch64__)
#define REG_ARG0	regs[0]
#define REG_ARG1	regs[1]
#define REG_ARG2	regs[2]
#define REG_RESULT	regs[0]
typedef struct user_regs_struct regs_t;
#else
#error "name the registers of this architecture"
#endif

#define NONSENSE	0x7ffffffe	/* no flag, option, pid or resource */

void
spoil_enter(pid_t pid, const struct call *c, int shorten)
{
	struct iovec	 iov;
	regs_t		 regs;

	iov.iov_base = &regs;
	iov.iov_len = sizeof(regs);
	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov) == -1)
		err(2, "registers");
	/* Of two paths the first will do. */
	if (!shorten && c->paths & 0x1)
		regs.REG_ARG0 = 0;
	else if (!shorten && c->paths & 0x2)
		regs.REG_ARG1 = 0;
	if (shorten)
		regs.REG_ARG2 = (regs.REG_ARG2 + 1) / 2;
	else switch (c->spoil) {
	case BAD_FD:
		regs.REG_ARG0 = (unsigned int)-1;
		break;
	case BAD_POINTER:
	case BAD_ZERO:
		regs.REG_ARG0 = 0;
		break;
	case BAD_LENGTH:
		regs.REG_ARG1 = 0;
		break;
	case BAD_COUNT:
		regs.REG_ARG1 = INT_MAX;
		break;
	case BAD_CLONE:
		regs.REG_ARG0 = 0x800;
		break;
	case BAD_FLAGS:
		regs.REG_ARG0 = NONSENSE;
		break;
	case UNCHANGED:
		regs.REG_ARG0 = regs.REG_ARG1 = regs.REG_ARG2 =
		    (unsigned int)-1;
		break;
	case AFTERWARDS:
		break;
	}
	if (ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &iov) == -1)
		err(2, "set registers");
}

/* brk tells its failure by what it returns; these did no harm. */
static int
may_succeed(const struct call *c)
{
	return c->spoil == BAD_ZERO || c->spoil == UNCHANGED ||
	    c->spoil == AFTERWARDS || c->nr == SYS_close_range ||
	    c->nr == SYS_landlock_create_ruleset;
}

int
spoil_leave(pid_t pid, const struct call *c, int error)
{
	struct iovec	 iov;
	regs_t		 regs;

	iov.iov_base = &regs;
	iov.iov_len = sizeof(regs);
	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov) == -1)
		return -1;
	if ((long long)regs.REG_RESULT >= 0 && !may_succeed(c))
		return 0;
	if (c->spoil != BAD_ZERO)
		regs.REG_RESULT = (unsigned long long)-(long long)error;
	(void)ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &iov);
	return 1;
}
