/*
 * Being told that control groups come to be: how a unit is noticed that
 * somebody else starts.
 */
#ifndef UPD_COMPAT_CGWATCH_H
#define UPD_COMPAT_CGWATCH_H

struct cgwatch;
/*
 * fn(arg, name) from the loop when a control group of that name was made
 * in the one given ("/system.slice"); with NULL when some may have been
 * missed, as when that one itself came or went.  It need not be there yet.
 * NULL with errno: ENOSYS or ENOENT, no such thing on this system.
 */
struct cgwatch	*cgwatch_add(const char *, void (*)(void *, const char *),
		    void *);
/* NULL is fine; not from within fn. */
void		 cgwatch_del(struct cgwatch *);

#endif
