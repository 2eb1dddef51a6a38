/*
 * The real inflate and unpack of an updaterd, started as the parent does, in
 * their sandbox, on an archive; for drive.c.
 */
#ifndef UPD_REGRESS_PIPELINE_H
#define UPD_REGRESS_PIPELINE_H

#include <sys/types.h>
#include <stdint.h>

#include "proc.h"
#include "proto.h"

#define PIPE_SIZE	(1024 * 1024)

struct side {
	struct proc	 proc;
	int		 gone;
	int		 done, failed;
	struct msg_fail	 fail;
};

struct limits {
	uint64_t	 out;		/* bytes of tar */
	uint64_t	 bytes;		/* of files */
	uint32_t	 files;
	uint32_t	 hash;		/* inflate counts the digest, too */
};

extern struct side		 inflate, unpack;
extern struct msg_inflate_done	 inflated;
extern struct msg_unpack_done	 unpacked;
extern struct limits		 limits;
extern size_t			 step;	/* bytes fed at once; 0: no feeding,
					 * inflate has the file itself */
extern uint64_t			 fed;	/* bytes */
extern char			*buf;	/* PIPE_SIZE, for anything */
extern char			 work[64];	/* directory */
extern int			 stagefd;	/* of work/stage */
extern uint32_t			 nkeys;

/* Once, as root; remove_all(work) at the end. */
void	 setup(void);
/* One more release key, from its file. */
void	 add_key(const char *);
/* A fresh staging directory of the unpack user. */
void	 stage(void);
void	 remove_all(const char *);
/* Unpack an archive into it.  NULL: it was accepted. */
const struct msg_fail	*extract(const char *);
/* MANIFEST or VERIFY on it. */
const struct msg_fail	*reread(enum unpack_mode);

#endif
