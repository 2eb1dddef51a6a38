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
/* Read it again, once what is in the way and passes by itself is over.  0:
 * done is called once, maybe from within, with "" when the new one is in
 * use, else with why it is not; or -1 with text: nothing will come. */
int		 reload_ask(void (*)(void *, const char *), void *, char *);
/* What was in flight has ended: somebody may be waiting. */
void		 reload_next(void);

#endif
