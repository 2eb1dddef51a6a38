/*
 * How a unit is let go that is in our care no longer: stopped, its file
 * taken out if it was a release's, then forgotten.
 */
#ifndef UPD_UNITLEAVE_H
#define UPD_UNITLEAVE_H

struct service_conf;

enum retaken {
	RETAKEN_NOT,		/* it was not leaving */
	RETAKEN_WHOLE,		/* nothing had been done to it yet */
	RETAKEN_STOPPING	/* it may have been told to stop */
};

/* The instance of that name has its unit no longer; what an earlier daemon
 * has not finished of that goes on.  1, or 0: there is none. */
int	 unitleave_withdraw(const char *);
/* An instance has that unit, and has it on record: it stays. */
enum retaken	 unitleave_retake(const char *);
/* done(arg) once no unit that the instance of that name has left runs any
 * more; in the place of who waited before.  1, or 0: none does. */
int	 unitleave_await(const char *, void (*)(void *), void *);
/* 1: one that the instance of that name has left may still run. */
int	 unitleave_runs(const char *);
/* 1: and it does not stop; with text (UPD_TEXT_SIZE). */
int	 unitleave_isstuck(const char *, char *);
/* 1: one is leaving. */
int	 unitleave_isbusy(void);
/* 1 there is a record of that instance. */
int	 unitleave_has(const char *);
/* fn(arg, name) for each record that has no instance. */
void	 unitleave_strays(void (*)(void *, const char *), void *);
/*
 * What an earlier daemon has not finished goes on; fn(arg, name of the
 * instance) for each of these.  With dry (the first) nothing is done, and
 * those that are under way are told as well.
 */
void	 unitleave_goon(int, void (*)(void *, const char *), void *);
/* For struct backend. */
void	 unitleave_drop(const struct service_conf *, const char *);

#endif
