/*
 * A message reaches a handler only if type, sender, size, descriptor and
 * state fit its rule.
 */
/* LINK: common/proto.o common/compat/imsg.o */
#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "imsg.h"
#include "proto.h"

#define S_IDLE	0x01
#define S_BUSY	0x02

static const struct imsg_rule rules[] = {
	{ IMSG_READY, PROC_NET, sizeof(struct msg_ready), 0, 0, S_IDLE, NULL },
	{ IMSG_REPLY, PROC_PARENT, sizeof(struct msg_reply), 1, 0, ANY_STATE,
	    NULL },
	{ IMSG_UPDATE_GO, PROC_PARENT, sizeof(struct msg_id), 0, 1, S_BUSY,
	    NULL },
	{ IMSG_READY, PROC_PROBE, 4, 0, 0, S_BUSY, NULL }
};

static const struct imsg_rule *
check(enum proc_type from, uint32_t state, uint32_t type, size_t len, int fd,
    const char **why)
{
	struct imsg	 imsg;

	memset(&imsg, 0, sizeof(imsg));
	imsg.hdr.type = type;
	imsg.hdr.len = (uint32_t)(IMSG_HEADER_SIZE + len);
	imsg.fd = fd;
	return proto_check(rules, sizeof(rules) / sizeof(rules[0]), from,
	    state, &imsg, why);
}

static void
fits(void **state)
{
	const char	*why = "";

	assert_ptr_equal(check(PROC_NET, S_IDLE, IMSG_READY,
	    sizeof(struct msg_ready), -1, &why), &rules[0]);
	assert_null(why);
	assert_ptr_equal(check(PROC_PARENT, S_BUSY, IMSG_REPLY,
	    sizeof(struct msg_reply), -1, &why), &rules[1]);
	assert_ptr_equal(check(PROC_PARENT, S_IDLE, IMSG_REPLY,
	    sizeof(struct msg_reply) + 100, -1, &why), &rules[1]);
	assert_ptr_equal(check(PROC_PARENT, S_BUSY, IMSG_UPDATE_GO,
	    sizeof(struct msg_id), 5, &why), &rules[2]);
	/* The same type from another sender has a rule of its own. */
	assert_ptr_equal(check(PROC_PROBE, S_BUSY, IMSG_READY, 4, -1, &why),
	    &rules[3]);
}

static void
refused(void **state)
{
	static const struct {
		enum proc_type	 from;
		uint32_t	 state;
		uint32_t	 type;
		size_t		 len;
		int		 fd;
		const char	*why;
	} bad[] = {
		{ PROC_NET, S_IDLE, IMSG_VERBOSE, 4, -1, "unknown type" },
		{ PROC_NET, S_IDLE, 0xffffffff, 4, -1, "unknown type" },
		{ PROC_UNPACK, S_IDLE, IMSG_READY, 12, -1, "wrong sender" },
		{ PROC_NET, S_IDLE, IMSG_READY, 11, -1, "wrong size" },
		{ PROC_NET, S_IDLE, IMSG_READY, 13, -1, "wrong size" },
		{ PROC_PARENT, S_IDLE, IMSG_REPLY, 7, -1, "wrong size" },
		{ PROC_NET, S_IDLE, IMSG_READY, 12, 5,
		    "unexpected descriptor" },
		{ PROC_PARENT, S_BUSY, IMSG_UPDATE_GO, 4, -1,
		    "descriptor missing" },
		{ PROC_PARENT, S_IDLE, IMSG_UPDATE_GO, 4, 5, "wrong state" },
		{ PROC_NET, S_BUSY, IMSG_READY, 12, -1, "wrong state" }
	};
	const char	*why;
	size_t		 i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		assert_null(check(bad[i].from, bad[i].state, bad[i].type,
		    bad[i].len, bad[i].fd, &why));
		assert_string_equal(why, bad[i].why);
	}
}

static void
names(void **state)
{
	uint32_t	 i, j;

	for (i = 0; i < IMSG__MAX; i++) {
		assert_string_not_equal(imsg_name(i), "unknown");
		for (j = 0; j < i; j++)
			assert_string_not_equal(imsg_name(i), imsg_name(j));
	}
	for (i = 0; i < PROC__MAX; i++)
		assert_string_not_equal(proc_name(i), "unknown");
	for (i = 0; i < ROLE__MAX; i++)
		assert_string_not_equal(role_name(i), "unknown");
	for (i = 0; i < OP__MAX; i++)
		assert_string_not_equal(op_name(i), "unknown");
	for (i = 0; i < HEALTH__MAX; i++)
		assert_string_not_equal(health_name(i), "unknown");
	assert_string_equal(imsg_name(IMSG_CTL_UPDATE), "CTL_UPDATE");
	assert_string_equal(op_name(OP_RECONCILE), "reconcile");
	assert_string_equal(health_name(HEALTH_NOTIFY), "notify");
	assert_string_equal(role_name(ROLE_SELF), "self");
	assert_string_equal(imsg_name(IMSG__MAX), "unknown");
	assert_string_equal(proc_name((enum proc_type)-1), "unknown");
}

static void
strings(void **state)
{
	char		 a[4] = { 'a', 'b', 'c', 'd' };
	char		 hex[UPD_HEX_SIZE];
	uint8_t		 digest[UPD_DIGEST_LEN] = { 0x01, 0xab, 0xff };

	assert_int_equal(PROTO_STR(a), 0);
	a[3] = '\0';
	assert_int_equal(PROTO_STR(a), 1);
	digest_hex(digest, hex);
	assert_int_equal(strlen(hex), 64);
	assert_int_equal(strncmp(hex, "01abff00", 8), 0);
	assert_int_equal(digest_ishex(hex), 1);
	hex[63] = 'A';
	assert_int_equal(digest_ishex(hex), 0);
	hex[63] = '\0';
	assert_int_equal(digest_ishex(hex), 0);
	assert_int_equal(digest_ishex(""), 0);
	digest_hex(digest, hex);
	assert_int_equal(digest_ishex("01abff0000000000000000000000000000000"
	    "0000000000000000000000000000"), 0);
}

static void
allowed_names(void **state)
{
	char	 s[128];

	assert_int_equal(name_isvalid("a"), 1);
	assert_int_equal(name_isvalid("0-a_b"), 1);
	assert_int_equal(name_isvalid(""), 0);
	assert_int_equal(name_isvalid("-a"), 0);
	assert_int_equal(name_isvalid("_a"), 0);
	assert_int_equal(name_isvalid("A"), 0);
	assert_int_equal(name_isvalid("a/b"), 0);
	assert_int_equal(name_isvalid("a.b"), 0);
	assert_int_equal(name_isvalid("a\n"), 0);
	memset(s, 'a', sizeof(s));
	s[63] = '\0';
	assert_int_equal(name_isvalid(s), 1);
	s[63] = 'a';
	s[64] = '\0';
	assert_int_equal(name_isvalid(s), 0);

	assert_int_equal(id_isvalid("20261122T014955Z-1a2b3c4d5e6f"), 1);
	assert_int_equal(id_isvalid("a..b"), 1);
	assert_int_equal(id_isvalid(""), 0);
	assert_int_equal(id_isvalid("."), 0);
	assert_int_equal(id_isvalid(".."), 0);
	assert_int_equal(id_isvalid(".new-1"), 0);
	assert_int_equal(id_isvalid("a/b"), 0);
	assert_int_equal(id_isvalid("a b"), 0);
	assert_int_equal(id_isvalid("\303\244"), 0);
	memset(s, 'a', sizeof(s));
	s[63] = '\0';
	assert_int_equal(id_isvalid(s), 1);
	s[63] = 'a';
	s[64] = '\0';
	assert_int_equal(id_isvalid(s), 0);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(fits),
		cmocka_unit_test(refused),
		cmocka_unit_test(names),
		cmocka_unit_test(strings),
		cmocka_unit_test(allowed_names)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
