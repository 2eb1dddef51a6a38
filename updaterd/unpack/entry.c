/*
 * The policy of DESIGN 4 for names, types and link targets.
 *
 * Why a symlink's target may have ".." only in front: paths never lead
 * through symlinks, so the link's own directory is real and leading ".."
 * climb real directories.  Behind a name they might climb from wherever
 * that name, itself a symlink, leads: "a" -> "b/c" makes "a/.." another
 * place than it looks, and two such links together leave the release.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "entry.h"

enum entry_type
entry_type(char flag, char *why)
{
	const char	*what;

	switch (flag) {
	case '0':
	case '\0':
		return ENTRY_FILE;
	case '1':
		return ENTRY_HARDLINK;
	case '2':
		return ENTRY_SYMLINK;
	case '5':
		return ENTRY_DIR;
	case '3':
		what = "character device";
		break;
	case '4':
		what = "block device";
		break;
	case '6':
		what = "FIFO";
		break;
	case 'S':
		what = "sparse file";
		break;
	case '7':
		what = "contiguous file";
		break;
	case 'D':
	case 'M':
	case 'N':
	case 'V':
		what = "entry of a GNU incremental or multi-volume archive";
		break;
	default:
		if (flag > ' ' && flag < 0x7f)
			snprintf(why, UPD_TEXT_SIZE,
			    "unknown entry type '%c'", flag);
		else
			snprintf(why, UPD_TEXT_SIZE,
			    "unknown entry type 0x%02x", (uint8_t)flag);
		return ENTRY_REFUSED;
	}
	snprintf(why, UPD_TEXT_SIZE, "%s", what);
	return ENTRY_REFUSED;
}

/*
 * One UTF-8 sequence: its length with *cp filled in, or 0 when it is
 * overlong, a surrogate, beyond U+10FFFF or cut short.
 */
static size_t
utf8_next(const uint8_t *p, uint32_t *cp)
{
	static const uint32_t	least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t			i, n;

	if (p[0] < 0x80) {
		*cp = p[0];
		return 1;
	}
	if ((p[0] & 0xe0) == 0xc0) {
		n = 2;
		*cp = p[0] & 0x1f;
	} else if ((p[0] & 0xf0) == 0xe0) {
		n = 3;
		*cp = p[0] & 0x0f;
	} else if ((p[0] & 0xf8) == 0xf0) {
		n = 4;
		*cp = p[0] & 0x07;
	} else
		return 0;
	for (i = 1; i < n; i++) {	/* a NUL ends this, too */
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3f);
	}
	if (*cp < least[n] || *cp > 0x10ffff ||
	    (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return n;
}

static const char *
check_bytes(const char *s)
{
	const uint8_t	*p = (const uint8_t *)s;
	uint32_t	 cp;
	size_t		 n;

	for (; *p != '\0'; p += n) {
		if ((n = utf8_next(p, &cp)) == 0)
			return "invalid UTF-8";
		if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			return "control character in the name";
	}
	return NULL;
}

static int
is_dot(const char *p, size_t len)
{
	return len == 1 && p[0] == '.';
}

static int
is_dotdot(const char *p, size_t len)
{
	return len == 2 && p[0] == '.' && p[1] == '.';
}

const char *
entry_path(const char *raw, char *out)
{
	const char	*p, *why;
	size_t		 len, n;
	int		 depth = 0;

	out[0] = '\0';
	if (raw[0] == '\0')
		return "empty name";
	if ((len = strlen(raw)) > ENTRY_PATH_MAX)
		return "path over 1024 bytes";
	if (raw[0] == '/')
		return "absolute path";
	if ((why = check_bytes(raw)) != NULL)
		return why;

	while (strncmp(raw, "./", 2) == 0) {
		raw += 2;
		len -= 2;
	}
	if (len == 0 || strcmp(raw, ".") == 0)
		return NULL;
	if (raw[len - 1] == '/')
		len--;
	for (p = raw;; p += n + 1) {
		n = strcspn(p, "/");
		if ((size_t)(p - raw) + n > len)
			n = len - (size_t)(p - raw);
		if (n == 0)
			return "empty name in the path";
		if (is_dot(p, n))
			return "\".\" in the path";
		if (is_dotdot(p, n))
			return "\"..\" in the path";
		if (n > ENTRY_NAME_MAX)
			return "name over 255 bytes";
		if (++depth > ENTRY_DEPTH_MAX)
			return "over 32 levels deep";
		if ((size_t)(p - raw) + n == len)
			break;
	}
	memcpy(out, raw, len);
	out[len] = '\0';
	return NULL;
}

const char *
entry_target(const char *path, const char *target)
{
	const char	*p, *why;
	size_t		 n;
	int		 depth = 0, named = 0;

	if (target[0] == '\0')
		return "symlink without a target";
	if (strlen(target) > ENTRY_PATH_MAX)
		return "symlink target over 1024 bytes";
	if (target[0] == '/')
		return "symlink to an absolute path";
	if ((why = check_bytes(target)) != NULL)
		return strcmp(why, "invalid UTF-8") == 0 ?
		    "invalid UTF-8 in the symlink target" :
		    "control character in the symlink target";
	for (p = path; *p != '\0'; p++)
		if (*p == '/')
			depth++;
	for (p = target;; p += n + 1) {
		n = strcspn(p, "/");
		if (n > ENTRY_NAME_MAX)
			return "name over 255 bytes in the symlink target";
		if (is_dotdot(p, n)) {
			if (named)
				return "symlink target with \"..\" behind a "
				    "name";
			if (--depth < 0)
				return "symlink leaves the release";
		} else if (n > 0 && !is_dot(p, n))
			named = 1;
		if (p[n] == '\0')
			return NULL;
	}
}

void
entry_escape(const char *raw, char *out, size_t size)
{
	static const char	hex[] = "0123456789abcdef";
	const uint8_t		*p = (const uint8_t *)raw;
	char			 one[5];
	size_t			 n, o = 0, cut = 0;

	if (size == 0)
		return;
	for (; *p != '\0'; p++, o += n) {
		if (*p == '\\') {
			memcpy(one, "\\\\", 2);
			n = 2;
		} else if (*p >= 0x20 && *p < 0x7f) {
			one[0] = (char)*p;
			n = 1;
		} else {
			one[0] = '\\';
			one[1] = 'x';
			one[2] = hex[*p >> 4];
			one[3] = hex[*p & 0xf];
			n = 4;
		}
		if (o + n >= size) {
			if (size > 3) {
				memcpy(out + cut, "...", 3);
				o = cut + 3;
			}
			break;
		}
		memcpy(out + o, one, n);
		/* where "..." still fits, between two characters */
		if (o + n + 4 <= size)
			cut = o + n;
	}
	out[o] = '\0';
}
