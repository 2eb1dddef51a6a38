/*
 * %p, %h and %% in the texts of a service: its profile's name, its
 * directory, a percent sign.  Pure.
 */
#ifndef UPD_PERCENT_H
#define UPD_PERCENT_H

/* A text for that profile and directory.  Malloced, or NULL ENOMEM. */
char	*percent_expand(const char *, const char *, const char *);
/* The first sequence in a text that means nothing ("%x"), or NULL. */
const char *percent_odd(const char *);
/* 1 if the text holds that sequence ('p' or 'h'). */
int	 percent_has(const char *, char);

#endif
