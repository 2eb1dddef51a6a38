/*
 * In which scan directory the slot of an instance is, remembered below the
 * run directory until the host goes down.
 */
#ifndef UPD_S6RECORD_H
#define UPD_S6RECORD_H

/* It is, or is to be, in that directory. */
void	 s6record_write(const char *, const char *);
/* It is not in that one any more. */
void	 s6record_drop(const char *, const char *);
/* 1 there is a slot of it in a directory that is recorded. */
int	 s6record_has(const char *);
/* Take it out of its open scan directory of that path, its record with it.
 * 0, or -1 (logged). */
int	 s6record_takeout(int, const char *, const char *);
/* Take it out of the directory that is recorded, unless that is this one
 * (NULL: whichever).  1, or 0: there is nothing to take out. */
int	 s6record_withdraw(const char *, const char *);
/* fn(arg, name) for each slot that is recorded and has no instance; what has
 * no slot either is done with, unless (1) this is only a look. */
void	 s6record_strays(int, void (*)(void *, const char *), void *);

#endif
