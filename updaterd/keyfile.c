/*
 * The release keys: public key files named by the configuration, read with
 * it, and like it part of what the operator says: a file that others could
 * write to is refused, for it would decide whose releases run here.
 *
 * Opened once and checked on the descriptor: what was checked is what is
 * read.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "lex.h"
#include "relkey.h"
#include "util.h"

_Static_assert(sizeof(((struct msg_inflate_key *)0)->num) == RELKEY_NUM_LEN &&
    sizeof(((struct msg_inflate_key *)0)->key) == RELKEY_PUBLIC_LEN,
    "struct msg_inflate_key");

/* The text of a key file, or NULL with what is wrong. */
static char *
read_file(const char *path, size_t *len, const char **why)
{
	struct stat	 st;
	char		*data = NULL;
	int		 fd;

	/* O_NONBLOCK: a FIFO in its place must not hold us up. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1) {
		*why = strerror(errno);
		return NULL;
	}
	if (fstat(fd, &st) == -1)
		*why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		*why = "not a regular file";
	else if (st.st_uid != 0 && st.st_uid != geteuid())
		*why = "must belong to root";
	else if (st.st_mode & (S_IWGRP | S_IWOTH))
		*why = "writable by group or others, do: chmod go-w";
	else if ((data = fd_read(fd, RELKEY_FILE_MAX, len)) == NULL)
		*why = errno == EFBIG ? "too long for a public key" :
		    strerror(errno);
	close(fd);
	return data;
}

/* The name that releases will bear: NULL, or what is wrong. */
static const char *
take_name(struct msg_inflate_key *key, const char *path)
{
	const char	*name = strrchr(path, '/'), *p;

	name = name == NULL ? path : name + 1;
	if (strlcpy(key->name, name, sizeof(key->name)) >= sizeof(key->name))
		return "its name is longer than 64 bytes";
	for (p = name; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			return "its name is not plain ASCII";
	return NULL;
}

/* NULL, or what is wrong. */
static const char *
read_key(const char *path, struct msg_inflate_key *key)
{
	struct relkey	 pub;
	const char	*why;
	char		*data;
	size_t		 len;

	memset(key, 0, sizeof(*key));
	if ((why = take_name(key, path)) != NULL)
		return why;
	if ((data = read_file(path, &len, &why)) == NULL)
		return why;
	if (relkey_parse(data, len, &pub, &why) == 0) {
		memcpy(key->num, pub.num, sizeof(key->num));
		memcpy(key->key, pub.key, sizeof(key->key));
	}
	free(data);
	return why;
}

int
config_readkeys(struct config *conf, void (*tell)(int, const char *, ...))
{
	struct msg_inflate_key	*key;
	const char		*path, *why;
	size_t			 i, j;
	int			 line, errors = 0;

	for (i = 0; i < conf->release_keys.n; i++) {
		key = &conf->keys[i];
		path = conf->release_keys.v[i];
		line = conf->release_lines[i];
		if (!value_ispath(path))
			continue;		/* config_check() tells */
		if ((why = read_key(path, key)) != NULL) {
			tell(line, "release key \"%.128s\": %s", path, why);
			errors++;
			continue;
		}
		for (j = 0; j < i; j++) {
			if (strcmp(conf->keys[j].name, key->name) == 0)
				why = "of the same name as that";
			else if (memcmp(conf->keys[j].num, key->num,
			    sizeof(key->num)) == 0)
				why = "the same key as that";
			else
				continue;
			tell(line, "release key \"%.128s\": %s on %s", path,
			    why, lex_where(conf->release_lines[j], line));
			errors++;
			break;
		}
	}
	return errors;
}
