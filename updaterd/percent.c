/*
 * %p, %h and %% in the texts of a service.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "percent.h"
#include "util.h"

char *
percent_expand(const char *s, const char *profile, const char *home)
{
	struct buf	 b;
	const char	*p;
	int		 r;

	memset(&b, 0, sizeof(b));
	r = buf_add(&b, "", 0);
	while (r == 0 && *s != '\0') {
		if ((p = strchr(s, '%')) == NULL)
			p = s + strlen(s);
		r = buf_add(&b, s, (size_t)(p - s));
		if (*p == '\0' || r == -1)
			break;
		if (p[1] == 'p')
			r = buf_add(&b, profile, strlen(profile));
		else if (p[1] == 'h')
			r = buf_add(&b, home, strlen(home));
		else
			r = buf_add(&b, "%", 1);
		/* What config_check() lets through has one of the three. */
		s = p + (p[1] == 'p' || p[1] == 'h' || p[1] == '%' ? 2 : 1);
	}
	if (r == 0 && b.data != NULL)
		return b.data;
	buf_free(&b);
	errno = ENOMEM;
	return NULL;
}

const char *
percent_odd(const char *s)
{
	for (; (s = strchr(s, '%')) != NULL; s += 2)
		if (s[1] == '\0' || strchr("ph%", s[1]) == NULL)
			return s;
	return NULL;
}

int
percent_has(const char *s, char what)
{
	for (; (s = strchr(s, '%')) != NULL && s[1] != '\0'; s += 2)
		if (s[1] == what)
			return 1;
	return 0;
}
