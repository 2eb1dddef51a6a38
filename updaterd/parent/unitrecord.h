/*
 * Which units are in our care, remembered below the run directory until
 * the host goes down; and how they are let go.
 */
#ifndef UPD_UNITRECORD_H
#define UPD_UNITRECORD_H

struct service_conf;

/* The name of the target that holds a unit ("" none: too long), whose file
 * is made where missing.  0, or -1 with errno: there is none. */
int	 unitrecord_pin(const char *, char *);
/* An instance has that unit; 1: its file is one of a release. */
void	 unitrecord_write(const char *, const char *, int);
/* The instance of that name has it no longer: it is stopped if it should
 * still run, its file removed if it was installed, its record too.  1, or
 * 0: there is no record. */
int	 unitrecord_withdraw(const char *);
/* 1 there is a record of that instance. */
int	 unitrecord_has(const char *);
/* fn(arg, name) for each record that has no instance. */
void	 unitrecord_strays(void (*)(void *, const char *), void *);
/* For struct backend: list and withdraw. */
void	 unitrecord_list(const struct service_conf *,
	    void (*)(void *, const char *), void *);
void	 unitrecord_drop(const struct service_conf *, const char *);

#endif
