/*
 * Text and HTTP status of each error, in one table.
 */
#include <stddef.h>

#include "error.h"

static const struct {
	const char	*text;
	int		 status;
} errors[UPD_E__MAX] = {
	[UPD_OK] =		{ "no error", 200 },
	[UPD_EBADREQ] =		{ "malformed request", 400 },
	[UPD_EFORBIDDEN] =	{ "not permitted", 403 },
	[UPD_ENOTFOUND] =	{ "not found", 404 },
	[UPD_EMETHOD] =		{ "method not allowed", 405 },
	[UPD_ETIMEOUT] =	{ "request too slow", 408 },
	[UPD_ELENGTH] =		{ "length required", 411 },
	[UPD_EBODY] =		{ "body too large", 413 },
	[UPD_EMEDIA] =		{ "unsupported media type", 415 },
	[UPD_EEXPECT] =		{ "unknown expectation", 417 },
	[UPD_EHEADER] =		{ "request head too large", 431 },
	[UPD_EBUSY] =		{ "an update is in flight", 423 },
	[UPD_ENOTBUILT] =	{ "not part of this version", 501 },
	[UPD_EFULL] =		{ "too many connections", 503 },
	[UPD_EDIGEST] =		{ "sha256 does not match", 422 },
	[UPD_ECOMPRESS] =	{ "compressed data is damaged", 422 },
	[UPD_ETRAILING] =	{ "data after the end of the archive", 422 },
	[UPD_ENESTED] =		{ "archive is compressed twice", 422 },
	[UPD_EFORMAT] =		{ "not a tar archive, or damaged", 422 },
	[UPD_ECUT] =		{ "archive is cut short", 422 },
	[UPD_EENTRY] =		{ "archive entry refused", 422 },
	[UPD_EEMPTY] =		{ "archive holds no file", 422 },
	[UPD_ELIMIT] =		{ "archive exceeds a limit", 422 },
	[UPD_ESIGNATURE] =	{ "signature refused", 422 },
	[UPD_ENOSPACE] =	{ "not enough space", 507 },
	[UPD_EIO] =		{ "system call failed", 500 },
	[UPD_ECHILD] =		{ "a process of the updater was lost", 500 },
	[UPD_EINSTALL] =	{ "install step failed", 500 },
	[UPD_EUNHEALTHY] =	{ "release is not healthy", 409 },
	[UPD_EVERIFY] =		{ "tree differs from its manifest", 500 },
	[UPD_EABORTED] =	{ "client went away", 400 },
};

const char *
upd_strerror(enum upd_error error)
{
	if ((unsigned int)error >= UPD_E__MAX || errors[error].text == NULL)
		return "unknown error";
	return errors[error].text;
}

int
upd_httpstatus(enum upd_error error)
{
	if ((unsigned int)error >= UPD_E__MAX || errors[error].status == 0)
		return 500;
	return errors[error].status;
}
