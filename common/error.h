/*
 * Errors are values.  An enum upd_error travels from where a thing failed
 * to whoever asked; its text and its HTTP status stand in one table.
 */
#ifndef UPD_ERROR_H
#define UPD_ERROR_H

enum upd_error {
	UPD_OK = 0,
	/* the caller's request */
	UPD_EBADREQ,		/* 400 malformed */
	UPD_EFORBIDDEN,		/* 403 not permitted */
	UPD_ENOTFOUND,		/* 404 no such agent, service, release */
	UPD_EMETHOD,		/* 405 */
	UPD_ETIMEOUT,		/* 408 too slow */
	UPD_ELENGTH,		/* 411 no length */
	UPD_EBODY,		/* 413 over the body limit */
	UPD_EMEDIA,		/* 415 not a body we take */
	UPD_EEXPECT,		/* 417 an Expect we do not know */
	UPD_EHEADER,		/* 431 head over the limit */
	UPD_EBUSY,		/* 423 an update is in flight */
	UPD_ENOTBUILT,		/* 501 feature of a later version */
	UPD_EFULL,		/* 503 no more connections, going down */
	/* the archive: all 422 */
	UPD_EDIGEST,		/* sha256 does not match */
	UPD_ECOMPRESS,		/* gzip or zstd stream is damaged */
	UPD_ETRAILING,		/* bytes after the end */
	UPD_ENESTED,		/* compressed twice */
	UPD_EFORMAT,		/* not a tar archive, or damaged */
	UPD_ECUT,		/* ends too soon */
	UPD_EENTRY,		/* an entry that is refused */
	UPD_EEMPTY,		/* no file in the archive */
	UPD_ELIMIT,		/* files, unpacked or window limit */
	UPD_ESIGNATURE,		/* unsigned or wrongly signed */
	/* this host */
	UPD_ENOSPACE,		/* 507 blocks, inodes or reserve */
	UPD_EIO,		/* 500 a system call failed */
	UPD_ECHILD,		/* 500 a process of ours was lost */
	UPD_EINSTALL,		/* 500 the install step failed */
	UPD_EUNHEALTHY,		/* 409 or 500 the release is not healthy */
	UPD_EVERIFY,		/* 500 tree differs from its manifest */
	UPD_EABORTED,		/* the client went away */
	UPD_E__MAX
};

const char	*upd_strerror(enum upd_error);	/* never NULL */
/* HTTP status that belongs to it; UPD_OK is 200. */
int		 upd_httpstatus(enum upd_error);

#endif
