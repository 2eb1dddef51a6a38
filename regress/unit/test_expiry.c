/*
 * expiry.c: the dates are those of the files that are in use: neither of a
 * configuration that net refused, nor of a file that another has replaced,
 * also where that one tells no date (a revocation list need not have one).
 */
/* LINK: updaterd/parent/expiry.o common/util.o */
/* LIBS: -ljansson -levent -Wl,--wrap=time_real_us */
#include <sys/types.h>
#include <sys/queue.h>

#include <event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../updaterd/config.h"
#include "expiry.h"
#include "log.h"
#include "util.h"

#define NOW	1795314228	/* seconds */
#define DAY	86400

static struct config	 conf;
static int64_t		 here;		/* the clock's seconds */
static char		 said[1024];	/* in the log, since it was emptied */
static char		 shown[1024];

int64_t	 __wrap_time_real_us(void);

int64_t
__wrap_time_real_us(void)
{
	return here * 1000000;
}

void
log_warnx(const char *fmt, ...)
{
	size_t	 len = strlen(said);
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(said + len, sizeof(said) - len, fmt, ap);
	va_end(ap);
	strlcat(said, "\n", sizeof(said));
}

void
log_warn(const char *fmt, ...)
{
	fail_msg("%s", fmt);
}

static void
show(void *arg, enum expiry_kind kind, const char *file, int64_t when)
{
	size_t	 len = strlen(shown);

	snprintf(shown + len, sizeof(shown) - len, "%s%s %s %lld",
	    len > 0 ? ", " : "", expiry_name(kind), file,
	    (long long)(when - NOW) / DAY);
}

/* Each with the days that are left, as metrics have it; status, too. */
static const char *
all(void)
{
	json_t	*o = expiry_json();
	size_t	 n = 0;
	char	*p;

	shown[0] = '\0';
	expiry_each(show, NULL);
	for (p = shown; *p != '\0'; p++)
		n += p == shown || *p == ',';
	assert_int_equal(json_array_size(o), n);
	json_decref(o);
	return shown;
}

static size_t
warnings(void)
{
	json_t	*o = expiry_warnings();
	size_t	 n = json_array_size(o);

	json_decref(o);
	return n;
}

/* net has taken a configuration with these days left; -1: without a date. */
static void
used(int ca, int crl, int cert)
{
	const int	 days[] = { [NETFILE_CA] = ca, [NETFILE_CRL] = crl,
			    [NETFILE_CERT] = cert };
	unsigned int	 i;

	for (i = 0; i < sizeof(days) / sizeof(days[0]); i++)
		if (days[i] != -1)
			expiry_net((enum net_file)i, NOW + days[i] * DAY);
	expiry_net_used(&conf);
	said[0] = '\0';
	expiry_review(&conf);
}

static int
before(void **state)
{
	TAILQ_INIT(&conf.agents);
	conf.tls.ca = (char *)"/ca";
	conf.tls.crl = (char *)"/crl";
	conf.tls.cert = (char *)"/cert";
	here = NOW;
	used(-1, -1, -1);
	assert_string_equal(all(), "");
	return 0;
}

static void
in_use(void **state)
{
	used(300, 40, 20);
	assert_string_equal(all(), "certificate /cert 20, crl /crl 40, "
	    "ca /ca 300");
	assert_int_equal(warnings(), 1);
	assert_non_null(strstr(said, "/cert expires in 20 days"));
}

/* The names are the same, the files are others. */
static void
replaced(void **state)
{
	used(300, 3, 20);
	assert_int_equal(warnings(), 2);
	used(300, -1, 90);
	assert_string_equal(all(), "certificate /cert 90, ca /ca 300");
	assert_int_equal(warnings(), 0);
	assert_string_equal(said, "");
	used(-1, 10, -1);
	assert_string_equal(all(), "crl /crl 10");
	used(-1, -1, -1);
	assert_string_equal(all(), "");
}

static void
refused(void **state)
{
	used(300, 40, 90);
	expiry_net(NETFILE_CERT, NOW + 5 * DAY);
	expiry_net_refused();
	assert_string_equal(all(), "crl /crl 40, certificate /cert 90, "
	    "ca /ca 300");
	/* Nor is it of the next one, which tells none. */
	used(300, 40, -1);
	assert_string_equal(all(), "crl /crl 40, ca /ca 300");
}

static void
elsewhere(void **state)
{
	used(300, 40, 90);
	conf.tls.crl = NULL;
	conf.tls.cert = (char *)"/other";
	used(300, 41, 91);
	assert_string_equal(all(), "certificate /other 91, ca /ca 300");
}

/* From 30 days before the end, in the log once a day. */
static void
warned(void **state)
{
	used(300, 300, 30);
	assert_string_equal(said, "");
	here += 1;
	used(300, 300, 30);
	assert_non_null(strstr(said, "/cert expires in 29 days"));
	said[0] = '\0';
	expiry_health(EXPIRY_HEALTH_CA, "/health", NOW + 300 * DAY);
	assert_string_equal(said, "");
	here += DAY;
	expiry_health(EXPIRY_HEALTH_CA, "/health", NOW + 300 * DAY);
	assert_non_null(strstr(said, "/cert expires in 28 days"));
	here = NOW + 30 * DAY;
	expiry_health(EXPIRY_HEALTH_CA, "/health", NOW + 300 * DAY);
	assert_non_null(strstr(said, "/cert has expired on "));
}

#define TEST(f)	cmocka_unit_test_setup(f, before)

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		TEST(in_use),
		TEST(replaced),
		TEST(refused),
		TEST(elsewhere),
		TEST(warned)
	};

	event_init();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
