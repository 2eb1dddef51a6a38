/*
 * On which slots of others rights were given.
 */
#ifndef UPD_S6GIVEN_H
#define UPD_S6GIVEN_H

struct scan;

/* To be called before they are given on the static slots of that one. */
void	 given_note(const struct scan *);
/* Take them back where no service names the slot any more. */
void	 given_settle(void);

#endif
