/*
 * A request to a host: fingerprints as they are recorded, and the lines of
 * an answer in events.
 */
/* LINK: updatermaster/transfer.o common/proto.o common/util.o common/compat/imsg.o */
/* LIBS: -lcurl -lssl -lcrypto -ljansson -levent */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client.h"

#define HEX	"00112233445566778899aabbccddeeff" \
		"00112233445566778899AABBCCDDEEFF"

static char	steps[256];

static void
pins(void **state)
{
	static const char *const bad[] = {
		"", "SHA256:", HEX, "SHA256:" HEX "0", "SHA1:" HEX,
		"SHA256:0011", "SHA256: " HEX,
		"SHA256:g0112233445566778899aabbccddeeff"
		    "00112233445566778899aabbccddeeff",
		/* A NUL is no digit, nor is what stands behind '9'. */
		"SHA256::0112233445566778899aabbccddeeff"
		    "00112233445566778899aabbccddeeff",
	};
	uint8_t	 pin[UPD_DIGEST_LEN];
	size_t	 i;

	assert_int_equal(pin_parse("SHA256:" HEX, pin), 0);
	assert_int_equal(pin[0], 0x00);
	assert_int_equal(pin[1], 0x11);
	assert_int_equal(pin[15], 0xff);
	assert_int_equal(pin[31], 0xff);
	assert_int_equal(pin[26], 0xaa);
	assert_int_equal(pin_parse("sha256:" HEX, pin), 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (pin_parse(bad[i], pin) != -1)
			fail_msg("taken: %s", bad[i]);
}

static void
step(struct request *r, const char *event, uint64_t bytes)
{
	size_t	 n = strlen(steps);

	snprintf(steps + n, sizeof(steps) - n, "%s %llu;", event,
	    (unsigned long long)bytes);
}

static int
line(struct request *r, const char *s)
{
	return request_line(r, s, strlen(s));
}

static void
events(void **state)
{
	struct request	 r;

	memset(&r, 0, sizeof(r));
	r.event = step;
	assert_int_equal(line(&r, "{\"event\":\"receiving\",\"bytes\":7}"), 0);
	assert_int_equal(line(&r, "{\"event\":\"probing\"}"), 0);
	assert_string_equal(steps, "receiving 7;probing 0;");
	assert_int_equal(line(&r, "{\"event\":\"done\",\"status\":409,"
	    "\"body\":{\"detail\":{\"error\":\"x\"}}}"), 1);
	assert_int_equal(r.status, 409);
	assert_non_null(json_object_get(r.answer, "detail"));
	/* Of two last ones the later holds, and nothing is lost. */
	assert_int_equal(line(&r, "{\"event\":\"done\",\"status\":200,"
	    "\"body\":{}}"), 1);
	assert_int_equal(r.status, 200);
	request_free(&r);
	assert_null(r.answer);
}

static void
nonsense(void **state)
{
	static const char *const bad[] = {
		"", "x", "[]", "{}", "null", "{\"event\":7}", "{\"event\":",
		"{\"status\":200,\"body\":{}}"
	};
	struct request	 r;
	size_t		 i;

	memset(&r, 0, sizeof(r));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(line(&r, bad[i]), -1);
	/* A verdict without a body has no answer, and a status. */
	assert_int_equal(line(&r, "{\"event\":\"done\"}"), 1);
	assert_int_equal(r.status, 0);
	assert_null(r.answer);
	/* Nobody wants to know. */
	assert_int_equal(line(&r, "{\"event\":\"staged\"}"), 0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(pins),
		cmocka_unit_test(events),
		cmocka_unit_test(nonsense),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
