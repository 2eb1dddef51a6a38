/*
 * Runs a fuzz harness over files once, without a fuzzer: each file named on
 * the command line, each file of a directory, or standard input.  Whatever
 * stops a run (abort, a sanitizer, a signal, more than INPUT_SECONDS) says
 * which file it was.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <dirent.h>
#include <err.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX	(4 * 1024 * 1024)	/* bytes */
#define INPUT_SECONDS	20

int		 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static char	 running[1024];
static unsigned	 count;

static void
died(int sig)
{
	/* the default action follows: the handler is a one-shot */
	if (write(STDERR_FILENO, running, strlen(running)) == -1 ||
	    write(STDERR_FILENO, ": stopped here\n", 15) == -1)
		_exit(1);
	raise(sig);
}

static void
run(FILE *fp, const char *name)
{
	static uint8_t	 input[INPUT_MAX];
	uint8_t		*copy;
	size_t		 n;

	snprintf(running, sizeof(running), "%s", name);
	n = fread(input, 1, sizeof(input), fp);
	/* of exactly that size: a sanitizer sees a read beyond */
	if ((copy = malloc(n > 0 ? n : 1)) == NULL)
		err(1, "malloc");
	memcpy(copy, input, n);
	alarm(INPUT_SECONDS);
	(void)LLVMFuzzerTestOneInput(copy, n);
	alarm(0);
	free(copy);
	count++;
}

static void
run_path(const char *path)
{
	struct dirent	*de;
	struct stat	 st;
	char		 name[1024];
	FILE		*fp;
	DIR		*dir;

	if (stat(path, &st) == -1)
		err(1, "%s", path);
	if (!S_ISDIR(st.st_mode)) {
		if ((fp = fopen(path, "r")) == NULL)
			err(1, "%s", path);
		run(fp, path);
		fclose(fp);
		return;
	}
	if ((dir = opendir(path)) == NULL)
		err(1, "%s", path);
	while ((de = readdir(dir)) != NULL) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, de->d_name);
		run_path(name);
	}
	closedir(dir);
}

int
main(int argc, char **argv)
{
	static const int	 sigs[] = { SIGABRT, SIGALRM, SIGBUS, SIGFPE,
				    SIGILL, SIGSEGV };
	struct sigaction	 sa;
	size_t			 i;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = died;
	sa.sa_flags = SA_RESETHAND | SA_NODEFER;
	for (i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		if (sigaction(sigs[i], &sa, NULL) == -1)
			err(1, "sigaction");
	if (argc < 2)
		run(stdin, "standard input");
	while (*++argv != NULL)
		run_path(*argv);
	printf("%u inputs\n", count);
	return 0;
}
