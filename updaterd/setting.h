/*
 * What the actions of the grammar do: check one value, put a copy of it
 * into the configuration, note its line.  Errors go to the function below,
 * by position; the field then keeps what it held.
 */
#ifndef UPD_SETTING_H
#define UPD_SETTING_H

#include <stdint.h>

#include "config.h"
#include "value.h"

/* Begin to count errors; how many there were. */
void	 setting_begin(void);
int	 setting_errors(void);
/* Report and count an error at a position (0: of the file). */
void	 setting_error(int, const char *, ...)
	    __attribute__((format(printf, 2, 3)));

/* Note that a key of a scope is set at this position.  1, or 0: it was set
 * before (reported). */
int	 setting_once(int *, enum conf_key, int);
/* Replace a text. */
void	 setting_string(char **, int *, enum conf_key, int, const char *);
/* The number of a text; the last argument if the text is not fit. */
uint64_t setting_number(int *, enum conf_key, int, const char *, uint64_t);
/* Move a list (the second) to its place (the first). */
void	 setting_list(struct args *, struct args *, int *, enum conf_key, int);

void	 setting_listen(struct config *, int, const char *, const char *);
void	 setting_permit(struct config *, int, enum upd_role, enum permit_kind,
	    const char *);
void	 setting_release_key(struct config *, int, const char *);
/* Begin a service's health check, forgetting a former one. */
void	 setting_health_begin(struct service_conf *, int);
/* Its kind, host and port (NULL: has none). */
void	 setting_health(struct service_conf *, enum health_kind, int,
	    const char *, const char *);
void	 setting_rlimit(struct service_conf *, int, const char *,
	    const char *);
void	 setting_permanent(struct service_conf *, int, const struct args *);
void	 setting_signal(struct service_conf *, int, const char *);
void	 setting_supervisor(struct service_conf *, enum supervisor,
	    enum conf_key, int);
/* The service is complete: defaults give way to limits that were given. */
void	 setting_finish(struct service_conf *);

/* A number or a text into a field of the scope. */
#define NUMBER(s, key, field, pos, text)				\
	(s)->field = setting_number((s)->lines, (key), (pos), (text),	\
	    (s)->field)
#define STRINGTO(s, key, field, pos, text)				\
	setting_string(&(s)->field, (s)->lines, (key), (pos), (text))

#endif
