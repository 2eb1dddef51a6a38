/*
 * On which slots of others rights were given, remembered below the run
 * directory until the host goes down: so that they are taken back also when
 * `static` was changed while updaterd was away.
 *
 * One file, a line for each: the path of the slot.  It is written before the
 * rights are given, and a line goes when they are root's again.
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "instance.h"
#include "log.h"
#include "s6.h"
#include "s6given.h"
#include "util.h"

#define GIVEN		".static"
#define GIVEN_MAX	(1024 * 1024)	/* bytes */

/* Malloced; "" where there is none, or it is not whole.  NULL: cannot be
 * read. */
static char *
read_given(void)
{
	char	*text;
	size_t	 len;

	text = file_read(service_getenv()->runfd, GIVEN, GIVEN_MAX, &len);
	if (text == NULL)
		return errno == ENOENT ? strdup("") : NULL;
	if (strlen(text) != len || (len > 0 && text[len - 1] != '\n'))
		text[0] = '\0';
	return text;
}

static void
write_given(const char *text, size_t len)
{
	int	 runfd = service_getenv()->runfd;

	if (len > 0 ? file_write(runfd, GIVEN, text, len, 0600) == -1 :
	    unlinkat(runfd, GIVEN, 0) == -1 && errno != ENOENT)
		log_warn("remember who was given rights on static slots");
}

/* 1 it has that line. */
static int
has_line(const char *text, const char *line, size_t len)
{
	for (; *text != '\0'; text = strchr(text, '\n') + 1)
		if (strncmp(text, line, len) == 0 && text[len] == '\n')
			return 1;
	return 0;
}

void
given_note(const struct scan *s)
{
	struct buf	 b;
	char		*old, line[1280];
	size_t		 n, before;

	if (s->fixed.n == 0 || (old = read_given()) == NULL)
		return;
	memset(&b, 0, sizeof(b));
	before = strlen(old);
	if (buf_add(&b, old, before) == -1)
		goto done;
	for (n = 0; n < s->fixed.n; n++) {
		if ((size_t)snprintf(line, sizeof(line), "%s/%s", s->path,
		    s->fixed.v[n]) < sizeof(line) &&
		    strchr(line, '\n') == NULL &&
		    !has_line(old, line, strlen(line)) &&
		    buf_printf(&b, "%s\n", line) == -1)
			goto done;
	}
	if (b.len > before)
		write_given(b.data, b.len);
 done:
	buf_free(&b);
	free(old);
}

/* That slot is root's to control again, or there is nothing to take back:
 * 1; 0 not so far. */
static int
take_back(const char *dir, const char *name)
{
	static const struct owner	 root = { 0, 0 };
	int				 scan, slot = -1, r = 0;

	scan = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (scan == -1)
		return errno == ENOENT;
	if (scandir_isroots(scan)) {
		/* It may be a slot of ours by now. */
		if (slot_ismine(scan, name, scan_mark()) ||
		    ((slot = scandir_slot(scan, name)) == -1 &&
		    errno == ENOENT))
			r = 1;
		else if (slot == -1 || rights_renew(slot, &root, 0) == -1)
			log_warn("take back rights on slot %s/%s", dir, name);
		else
			r = 1;
	}
	if (slot != -1)
		close(slot);
	close(scan);
	return r;
}

void
given_settle(void)
{
	struct buf	 b;
	char		*text, *rest, *line, *name;
	int		 n = 0, r = 0;

	memset(&b, 0, sizeof(b));
	rest = text = read_given();
	while (r == 0 && (line = strsep(&rest, "\n")) != NULL) {
		if ((name = strrchr(line, '/')) == NULL || name == line)
			continue;
		*name++ = '\0';
		if (!scan_names(line, name) && take_back(line, name))
			n++;
		else
			r = buf_printf(&b, "%s/%s\n", line, name);
	}
	if (n > 0 && r == 0)
		write_given(b.data, b.len);
	buf_free(&b);
	free(text);
}
