/*
 * Keeping each profile's own state file true.
 */
#ifndef UPD_ECHO_H
#define UPD_ECHO_H

struct instance;

/* It has changed: its profile's file is to follow, soon.  For struct
 * service_env. */
void	 echo_note(struct instance *);
/* Nothing more is written: the daemon ends. */
void	 echo_stop(void);

#endif
