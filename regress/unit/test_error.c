/*
 * Every error has a text of its own and a status that HTTP knows.
 */
/* LINK: common/error.o */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "error.h"

static void
complete(void **state)
{
	const char	*text;
	int		 i, j, status;

	for (i = 0; i < UPD_E__MAX; i++) {
		text = upd_strerror((enum upd_error)i);
		assert_non_null(text);
		assert_string_not_equal(text, "");
		assert_string_not_equal(text, "unknown error");
		for (j = 0; j < i; j++)
			assert_string_not_equal(text,
			    upd_strerror((enum upd_error)j));
		status = upd_httpstatus((enum upd_error)i);
		if (i == UPD_OK)
			assert_int_equal(status, 200);
		else
			assert_in_range(status, 400, 599);
	}
}

static void
statuses(void **state)
{
	static const struct {
		enum upd_error	 error;
		int		 status;
	} want[] = {
		{ UPD_EBADREQ, 400 }, { UPD_EFORBIDDEN, 403 },
		{ UPD_ENOTFOUND, 404 }, { UPD_EMETHOD, 405 },
		{ UPD_ETIMEOUT, 408 }, { UPD_ELENGTH, 411 },
		{ UPD_EBODY, 413 }, { UPD_EMEDIA, 415 }, { UPD_EEXPECT, 417 },
		{ UPD_EHEADER, 431 }, { UPD_EBUSY, 423 },
		{ UPD_ENOTBUILT, 501 }, { UPD_EFULL, 503 },
		{ UPD_EDIGEST, 422 }, { UPD_ECOMPRESS, 422 },
		{ UPD_ETRAILING, 422 }, { UPD_ENESTED, 422 },
		{ UPD_EFORMAT, 422 }, { UPD_EENTRY, 422 },
		{ UPD_ECUT, 422 },
		{ UPD_EEMPTY, 422 }, { UPD_ELIMIT, 422 },
		{ UPD_ESIGNATURE, 422 }, { UPD_ENOSPACE, 507 },
		{ UPD_EIO, 500 }, { UPD_ECHILD, 500 }, { UPD_EINSTALL, 500 },
		{ UPD_EUNHEALTHY, 409 }, { UPD_EVERIFY, 500 },
		{ UPD_EABORTED, 400 }
	};
	size_t	 i;

	assert_int_equal(sizeof(want) / sizeof(want[0]), UPD_E__MAX - 1);
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_int_equal(upd_httpstatus(want[i].error),
		    want[i].status);
}

static void
outside(void **state)
{
	assert_string_equal(upd_strerror(UPD_E__MAX), "unknown error");
	assert_string_equal(upd_strerror((enum upd_error)-1),
	    "unknown error");
	assert_int_equal(upd_httpstatus((enum upd_error)4711), 500);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(complete),
		cmocka_unit_test(statuses),
		cmocka_unit_test(outside)
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
