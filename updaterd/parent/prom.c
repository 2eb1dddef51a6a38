/*
 * Writing Prometheus's text exposition format, version 0.0.4: families with
 * HELP and TYPE once and their samples together, label values escaped and
 * valid UTF-8, a newline at the end of each line.  Names are ours and are
 * not checked.
 */
#include <sys/types.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "prom.h"
#include "utf8.h"

#define SECOND_US	1000000
#define SECOND_MS	1000

static void
add(struct prom *p, const char *s, size_t len)
{
	if (buf_add(&p->b, s, len) == -1)
		p->failed = 1;
}

static void
adds(struct prom *p, const char *s)
{
	add(p, s, strlen(s));
}

void
prom_family(struct prom *p, const char *name, const char *type,
    const char *help)
{
	p->family = name;
	if (buf_printf(&p->b, "# HELP %s %s\n# TYPE %s %s\n", name, help,
	    name, type) == -1)
		p->failed = 1;
}

/* Backslash, quote and newline are escaped, all else stands as it is. */
static void
label_value(struct prom *p, const char *s)
{
	struct buf	 b = { NULL, 0, 0 };
	size_t		 i;

	if (utf8_clean(&b, s, strlen(s)) == -1)
		p->failed = 1;
	for (i = 0; i < b.len; i++)
		switch (b.data[i]) {
		case '\\':
			adds(p, "\\\\");
			break;
		case '"':
			adds(p, "\\\"");
			break;
		case '\n':
			adds(p, "\\n");
			break;
		default:
			add(p, &b.data[i], 1);
			break;
		}
	buf_free(&b);
}

static void
sample(struct prom *p, const char *part, const char *value, va_list ap)
{
	const char	*label, *sep = "{";

	adds(p, p->family);
	adds(p, part);
	while ((label = va_arg(ap, const char *)) != NULL) {
		adds(p, sep);
		adds(p, label);
		adds(p, "=\"");
		label_value(p, va_arg(ap, const char *));
		adds(p, "\"");
		sep = ",";
	}
	if (sep[0] == ',')
		adds(p, "}");
	adds(p, " ");
	adds(p, value);
	adds(p, "\n");
}

void
prom_put(struct prom *p, uint64_t value, ...)
{
	char	 text[32];
	va_list	 ap;

	snprintf(text, sizeof(text), "%" PRIu64, value);
	va_start(ap, value);
	sample(p, "", text, ap);
	va_end(ap);
}

void
prom_put_us(struct prom *p, int64_t us, ...)
{
	char	 text[48];
	va_list	 ap;

	if (us < 0)
		us = 0;
	snprintf(text, sizeof(text), "%" PRId64 ".%06" PRId64,
	    us / SECOND_US, us % SECOND_US);
	va_start(ap, us);
	sample(p, "", text, ap);
	va_end(ap);
}

void
prom_part(struct prom *p, const char *part, uint64_t value, ...)
{
	char	 text[48];
	va_list	 ap;

	if (strcmp(part, "_sum") == 0)
		snprintf(text, sizeof(text), "%" PRIu64 ".%03" PRIu64,
		    value / SECOND_MS, value % SECOND_MS);
	else
		snprintf(text, sizeof(text), "%" PRIu64, value);
	va_start(ap, value);
	sample(p, part, text, ap);
	va_end(ap);
}
