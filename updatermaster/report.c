/*
 * --report FILE.html: one page that needs nothing but itself.  A bar per
 * host on one common scale of time, how it ended, and what failures said.
 * It is made to be mailed, printed, and read on a phone: no script, no
 * fetched font or picture, colours that are told by words, too.
 *
 * Everything that is not ours is escaped, and control characters, which
 * HTML cannot hold, are made visible first.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <err.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rollout.h"
#include "text.h"

#define SCALE		1000		/* width of the drawing, its units */
#define BAR_HEIGHT	14
#define BAR_LEAST	2		/* units: even the shortest is seen */

/* What the steps of a push are drawn as. */
static const struct {
	const char	*phase;
	const char	*kind;
} kinds[] = {
	{ "connecting",		"net" },
	{ "asking",		"net" },
	{ "busy",		"wait" },
	{ "lost",		"wait" },
	{ "receiving",		"send" },
	{ "received",		"send" },
	{ "staged",		"work" },
	{ "installing",		"work" },
	{ "verifying",		"work" },
	{ "promoting",		"flip" },
	{ "probing",		"probe" },
	{ "rolling_back",	"back" },
	{ "taking back",	"back" },
	{ "cleaning",		"work" },
	{ "confirming",		"net" },
	{ "self",		"self" }
};
static const char *const	legend[][2] = {
	{ "net", "connecting" }, { "wait", "waiting" }, { "send", "sending" },
	{ "work", "unpacking, installing" }, { "flip", "switching over" },
	{ "probe", "probing" }, { "back", "going back" },
	{ "self", "updaterd itself" }
};

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b1f24;--dim:#59636e;"
    "--line:#d1d9e0;--page:#fff;--good:#1a7f37;--bad:#c01c28;--band:#f3f5f7}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9aa4af;"
    "--line:#3d444d;--page:#11151a;--good:#4ac26b;--bad:#ff7b72;"
    "--band:#1b2027}}\n"
    "body{font:16px/1.45 system-ui,sans-serif;color:var(--ink);"
    "background:var(--page);max-width:70rem;margin:0 auto;padding:1rem}\n"
    "h1{font-size:1.4rem;margin:.2rem 0}h2{font-size:1.1rem;"
    "margin:1.6rem 0 .4rem}h3{font-size:1rem;margin:0}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;"
    "gap:.15rem 1rem;margin:.6rem 0}dt{color:var(--dim)}"
    "dd{margin:0;overflow-wrap:anywhere}\n"
    ".good{color:var(--good)}.bad{color:var(--bad)}\n"
    ".host{display:grid;grid-template-columns:12rem 1fr 7rem 5rem;"
    "gap:0 .8rem;align-items:center;padding:.25rem 0;"
    "border-bottom:1px solid var(--line);break-inside:avoid}\n"
    ".name,.how{overflow-wrap:anywhere}.ms{text-align:right;"
    "font-variant-numeric:tabular-nums}\n"
    "svg{display:block;width:100%;height:14px;background:var(--band)}\n"
    ".key{display:flex;flex-wrap:wrap;gap:.2rem 1rem;color:var(--dim);"
    "font-size:.85rem}.key svg{display:inline-block;width:14px;"
    "vertical-align:-2px;margin-right:.3rem}\n"
    ".net{fill:#8c959f}.wait{fill:#bf8700}.send{fill:#2f81f7}"
    ".work{fill:#8250df}.flip{fill:#d4528a}.probe{fill:#1b9e96}"
    ".back{fill:#cf222e}.self{fill:#57731f}.end{fill:#8c959f}\n"
    ".fail{border-left:4px solid var(--bad);padding:.1rem .8rem;"
    "margin:.9rem 0}.fail p{margin:.2rem 0;overflow-wrap:anywhere}\n"
    "pre{background:var(--band);padding:.6rem;margin:.4rem 0;"
    "white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem}\n"
    "@media (max-width:40rem){.host{grid-template-columns:1fr auto auto}"
    ".host svg{grid-column:1/-1;grid-row:2}}\n"
    "@media print{:root{color-scheme:light;--ink:#000;--page:#fff;"
    "--dim:#444;--line:#bbb;--band:#eee;--good:#0a5c23;--bad:#a40e26}"
    "body{font-size:10pt;max-width:none;padding:0}"
    "svg,svg *,pre{print-color-adjust:exact;"
    "-webkit-print-color-adjust:exact}}\n";

/* Escape for text and for attributes in double quotes. */
static void
put(FILE *f, const char *text, int lines)
{
	char	*e = text_escape(text, lines), *p;

	for (p = e; *p != '\0'; p++)
		switch (*p) {
		case '&':
			fputs("&amp;", f);
			break;
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		default:
			fputc(*p, f);
		}
	free(e);
}

static const char *
kind_of(const char *phase)
{
	size_t	 i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].phase, phase) == 0)
			return kinds[i].kind;
	return "end";
}

static void
when(int64_t seconds, char *out, size_t size)
{
	time_t		 t = (time_t)seconds;
	struct tm	 tm;

	if (localtime_r(&t, &tm) == NULL ||
	    strftime(out, size, "%Y-%m-%d %H:%M:%S %z", &tm) == 0)
		strlcpy(out, "-", size);
}

static int
isbad(const struct target *t)
{
	return outcome_isbad(t->agent) || outcome_isbad(t->self);
}

/* "updated", or "updated; self: failed" */
static void
put_outcome(FILE *f, const struct target *t)
{
	fprintf(f, "<span class=\"how %s\">%s", isbad(t) ? "bad" :
	    t->agent == OUTCOME_NONE ? "" : "good", t->agent == OUTCOME_NONE ?
	    "not begun" : outcome_name(t->agent));
	if (t->self != OUTCOME_NONE)
		fprintf(f, "; self: %s", outcome_name(t->self));
	fputs("</span>", f);
}

static void
put_bar(FILE *f, const struct target *t, uint32_t total)
{
	const struct phase	*p;
	uint32_t		 to;
	size_t			 i;
	double			 x, w;

	fprintf(f, "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" "
	    "role=\"img\" aria-label=\"", SCALE, BAR_HEIGHT);
	for (i = 0; i < t->nphases; i++) {
		put(f, t->phases[i].name, 0);
		fprintf(f, " at %u ms%s", t->phases[i].ms,
		    i + 1 < t->nphases ? ", " : "");
	}
	fputs("\">", f);
	/* The last phase is the outcome: a moment, not a stretch. */
	for (i = 0; i + 1 < t->nphases; i++) {
		p = &t->phases[i];
		to = t->phases[i + 1].ms;
		x = (double)p->ms * SCALE / total;
		w = (double)(to - p->ms) * SCALE / total;
		if (w < BAR_LEAST)
			w = BAR_LEAST;
		fprintf(f, "<rect class=\"%s\" x=\"%.1f\" y=\"0\" "
		    "width=\"%.1f\" height=\"%d\"><title>", kind_of(p->name),
		    x, w, BAR_HEIGHT);
		put(f, p->name, 0);
		fprintf(f, ": %u ms</title></rect>", to - p->ms);
	}
	fputs("</svg>", f);
}

static void
put_hosts(FILE *f, const struct rollout *ro, uint32_t total)
{
	const struct target	*t;
	size_t			 i;

	fprintf(f, "<h2>Timeline, 0 to %u.%u s</h2>\n<p class=\"key\">",
	    total / 1000, total % 1000 / 100);
	for (i = 0; i < sizeof(legend) / sizeof(legend[0]); i++)
		fprintf(f, "<span><svg viewBox=\"0 0 14 14\" "
		    "aria-hidden=\"true\"><rect class=\"%s\" width=\"14\" "
		    "height=\"14\"/></svg>%s</span>\n", legend[i][0],
		    legend[i][1]);
	fputs("</p>\n", f);
	for (i = 0; i < ro->ntargets; i++) {
		t = &ro->targets[i];
		fputs("<div class=\"host\"><span class=\"name\" title=\"", f);
		put(f, t->host.address, 0);
		fprintf(f, ":%u\">", (unsigned int)t->host.port);
		put(f, t->host.name, 0);
		fputs("</span>", f);
		put_bar(f, t, total);
		put_outcome(f, t);
		if (t->begun_us != 0)
			fprintf(f, "<span class=\"ms\">%u ms</span>", t->ms);
		else
			fputs("<span class=\"ms\">-</span>", f);
		fputs("</div>\n", f);
	}
}

static void
put_failures(FILE *f, const struct rollout *ro)
{
	const struct target	*t;
	const json_t		*d;
	size_t			 i;
	int			 any = 0;

	for (i = 0; i < ro->ntargets; i++) {
		t = &ro->targets[i];
		if (!isbad(t))
			continue;
		if (any++ == 0)
			fputs("<h2>Failures</h2>\n", f);
		fputs("<section class=\"fail\"><h3>", f);
		put(f, t->host.name, 0);
		fputs(": ", f);
		put_outcome(f, t);
		fputs("</h3>\n<p>", f);
		put(f, t->detail, 0);
		fputs("</p>\n", f);
		d = json_object_get(t->answer, "detail");
		if (js_text(d, "phase")[0] != '\0') {
			fputs("<p>In phase ", f);
			put(f, js_text(d, "phase"), 0);
			fprintf(f, "; %s.</p>\n", js_true(d, "rolled_back") ?
			    "the old release runs and is healthy" :
			    js_true(d, "healthy") ?
			    "the running release is healthy" :
			    "what runs there is not healthy");
		}
		if (js_text(d, "stderr")[0] != '\0') {
			fputs("<pre>", f);
			put(f, js_text(d, "stderr"), 1);
			fputs("</pre>\n", f);
		}
		fputs("</section>\n", f);
	}
}

static void
put_term(FILE *f, const char *term, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
put_term(FILE *f, const char *term, const char *fmt, ...)
{
	char	 text[UPD_TEXT_SIZE * 2];
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(f, "<dt>%s</dt><dd>", term);
	put(f, text, 0);
	fputs("</dd>\n", f);
}

static void
put_head(FILE *f, const struct rollout *ro, size_t bad, size_t left)
{
	const struct plan	*p = &ro->plan;
	char			 at[40], size[16];

	when(ro->started, at, sizeof(at));
	fmt_bytes(p->pack.size, size, sizeof(size));
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head>"
	    "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
	    "content=\"width=device-width, initial-scale=1\">\n"
	    "<title>Rollout ", f);
	put(f, ro->id, 0);
	fprintf(f, "</title>\n<style>\n%s</style></head>\n<body>\n<h1>%s of ",
	    style, p->dry_run ? "Dry run" : "Rollout");
	put(f, p->sha[0] ? p->sha : p->pack.sha256, 0);
	fprintf(f, "</h1>\n<p class=\"%s\">%zu host%s: %zu without trouble, "
	    "%zu failed or not reached, %zu not begun.</p>\n<dl>\n",
	    bad > 0 ? "bad" : "good", ro->ntargets,
	    ro->ntargets == 1 ? "" : "s",
	    ro->ntargets - left - bad, bad, left);
	put_term(f, "Begun", "%s", at);
	put_term(f, "Agent", "%s", p->agent != NULL ? p->agent : "default");
	put_term(f, "SHA-256", "%s", p->pack.sha256);
	put_term(f, "Archive", "%s", size);
	put_term(f, "From", "%s", p->tarball != NULL ? p->tarball : p->root);
	put_term(f, "Canaries", "%u", p->canary);
	put_term(f, "Batches", "%u", p->batch ? p->batch :
	    (unsigned int)ro->ntargets);
	if (ro->stopped[0] != '\0')
		put_term(f, "Stopped", "%s", ro->stopped);
	if (ro->interrupted)
		put_term(f, "Interrupted", "by a signal");
	fputs("</dl>\n", f);
}

static void
put_page(FILE *f, const struct rollout *ro)
{
	const struct target	*t;
	uint32_t		 total = 1;
	size_t			 i, bad = 0, left = 0;

	for (i = 0; i < ro->ntargets; i++) {
		t = &ro->targets[i];
		bad += isbad(t) != 0;
		left += t->agent == OUTCOME_NONE;
		if (t->nphases > 0 && t->phases[t->nphases - 1].ms > total)
			total = t->phases[t->nphases - 1].ms;
	}
	put_head(f, ro, bad, left);
	put_failures(f, ro);
	put_hosts(f, ro, total);
	fputs("</body></html>\n", f);
}

int
report_write(const struct rollout *ro, const char *path)
{
	const char	*base = strrchr(path, '/');
	char		*dir = NULL, *page = NULL;
	size_t		 len = 0;
	FILE		*f;
	int		 dirfd = -1, rv = -1;

	if ((f = open_memstream(&page, &len)) == NULL)
		err(1, NULL);
	put_page(f, ro);
	if (fclose(f) != 0)
		err(1, NULL);
	dir = base == NULL ? strdup(".") : base == path ? strdup("/") :
	    strndup(path, (size_t)(base - path));
	if (dir == NULL)
		err(1, NULL);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd != -1)
		rv = file_write(dirfd, base != NULL ? base + 1 : path, page,
		    len, 0644);
	if (rv == -1)
		warn("%s", path);
	if (dirfd != -1)
		close(dirfd);
	free(dir);
	free(page);
	return rv;
}
