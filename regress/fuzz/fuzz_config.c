/*
 * The configuration: any file gives a configuration or errors, each a line
 * without control bytes; one that is accepted comes out of config_print() in
 * a form that is accepted, too, and prints the same.
 */
/* LINK: updaterd/printconf.o updaterd/config.o updaterd/keyfile.o common/relkey.o updaterd/value.o updaterd/parse.o updaterd/lex.o updaterd/macro.o updaterd/syntax.o updaterd/setting.o updaterd/check.o updaterd/unitname.o updaterd/percent.o common/proto.o common/util.o common/compat/imsg.o common/compat/osproc-linux.o regress/fuzz/quiet.o common/profile.o */
#include "config.h"
#include "scratch.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static unsigned int	nerrors;

static void
on_error(const char *line)
{
	const char	*p;

	nerrors++;
	if (*line == '\0')
		abort();
	for (p = line; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			abort();
}

static char *
print(const struct config *c, size_t *len)
{
	char	*text = NULL;
	FILE	*fp;

	if ((fp = open_memstream(&text, len)) == NULL)
		abort();
	config_print(c, fp);
	if (fclose(fp) != 0)
		abort();
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config	*c, *again;
	char		*one, *two, path[96];
	size_t		 n, m;

	scratch_begin();
	config_onerror(on_error);
	snprintf(path, sizeof(path), "%s/c", scratch);
	scratch_put("c", data, len);
	nerrors = 0;
	if ((c = config_parse(path)) == NULL) {
		if (nerrors == 0)
			abort();
		return 0;
	}
	if (nerrors > 0)
		abort();
	one = print(c, &n);
	scratch_put("c", one, n);
	if ((again = config_parse(path)) == NULL)
		abort();
	two = print(again, &m);
	if (n != m || memcmp(one, two, n) != 0)
		abort();
	config_free(c);
	config_free(again);
	free(one);
	free(two);
	return 0;
}
