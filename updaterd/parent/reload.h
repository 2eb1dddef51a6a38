/*
 * Reading the configuration again.
 */
#ifndef UPD_RELOAD_H
#define UPD_RELOAD_H

/* Heed SIGHUP; nothing is read again before the start is over. */
void		 reload_init(void);
void		 reload_allow(void);
/* 1 while net tries a new configuration: agents may change with it. */
int		 reload_isbusy(void);
/* Read it again.  0 begun (done is called later with ""), or -1 and text
 * says why not. */
int		 reload_start(void (*)(void *, const char *), void *, char *);
/* What was in flight has ended: one may be waiting. */
void		 reload_next(void);

#endif
