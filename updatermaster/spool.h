/* A place for an archive that is being made. */
#ifndef UPD_MASTER_SPOOL_H
#define UPD_MASTER_SPOOL_H

/* A file of ours without a name, in TMPDIR or /tmp, read and write: its
 * descriptor, or -1 with text (UPD_TEXT_SIZE). */
int	 spool_open(char *);

#endif
