/*
 * Keeping each profile's own state file true.
 */
#ifndef UPD_ECHO_H
#define UPD_ECHO_H

struct instance;
struct roster;

/* It has changed: its profile's file is to follow, soon.  For struct
 * service_env. */
void	 echo_note(struct instance *);
/* Instances are about to be taken away: what is behind is written now.  The
 * call follows, maybe from within, when all is written or took too long. */
void	 echo_flush(void (*)(void));
/* A pass takes that one away, and has this roster at hand. */
void	 echo_dismiss(struct roster *, struct instance *);
/* The daemon ends: what is behind is written now, and what changes from now
 * on is the end of the daemon.  echo_flush() tells when that is done. */
void	 echo_stop(void);

#endif
