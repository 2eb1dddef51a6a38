/*
 * multipart/form-data.
 *
 * The delimiter is CR LF "--" boundary; a boundary holds no CR, so a match
 * that fails can begin again only at the byte that broke it, and what had
 * matched so far is known without being kept: it is handed out from delim
 * itself.  That is why no byte of the file is ever copied.
 *
 * Strict: no preamble but one CRLF, no blanks behind a delimiter, nothing
 * behind the last one but one CRLF, no transfer encodings.  The first
 * delimiter has no CRLF before it, so matching starts two bytes in.
 */
#include <string.h>
#include <strings.h>

#include "http.h"
#include "multipart.h"

enum mp_state {
	MPS_START,		/* in the first delimiter */
	MPS_TAIL,		/* behind a delimiter */
	MPS_TAIL_LF,
	MPS_TAIL_DASH,
	MPS_HEADER,
	MPS_HEADER_LF,
	MPS_BODY,
	MPS_END,		/* behind the last delimiter */
	MPS_END_LF,
	MPS_END_ALL,
	MPS_BAD
};

static enum mp_event
bad(struct multipart *m, const char *why)
{
	m->state = MPS_BAD;
	m->why = why;
	return MP_BAD;
}

/*
 * One "; name=value" of a header: skips the semicolon and blanks, copies
 * the value (token or quoted string) of at most size - 1 bytes.  name points
 * into the line.  1 one found, 0 none is left, -1 malformed; a value that
 * does not fit is cut and *fits is 0.
 */
static int
parameter(const char **p, const char **name, size_t *namelen, char *value,
    size_t size, int *fits)
{
	const char	*s = *p;
	size_t		 n = 0;
	int		 quoted;

	s += strspn(s, " \t");
	if (*s == '\0')
		return 0;
	if (*s++ != ';')
		return -1;
	s += strspn(s, " \t");
	*name = s;
	while (http_istoken((unsigned char)*s))
		s++;
	*namelen = (size_t)(s - *name);
	if (*namelen == 0 || *s++ != '=')
		return -1;
	*fits = 1;
	if ((quoted = *s == '"'))
		s++;
	for (; quoted ? *s != '"' : http_istoken((unsigned char)*s); s++) {
		if (quoted && *s == '\\')
			s++;
		if (*s == '\0')
			return -1;
		if (n + 1 < size)
			value[n++] = *s;
		else
			*fits = 0;
	}
	if (quoted)
		s++;
	else if (n == 0)
		return -1;
	value[n] = '\0';
	*p = s;
	return 1;
}

int
mp_boundary(const char *type, char *boundary)
{
	static const char	 form[] = "multipart/form-data";
	const char		*p, *name, *s;
	char			 value[MP_BOUNDARY_MAX + 1];
	size_t			 len;
	int			 r, fits, found = 0;

	if (strncasecmp(type, form, sizeof(form) - 1) != 0)
		return 0;
	p = type + sizeof(form) - 1;
	if (*p != '\0' && *p != ';' && *p != ' ' && *p != '\t')
		return 0;
	while ((r = parameter(&p, &name, &len, value, sizeof(value),
	    &fits)) == 1) {
		if (len != 8 || strncasecmp(name, "boundary", len) != 0)
			continue;
		if (found++ || !fits || value[0] == '\0')
			return -1;
		for (s = value; *s != '\0'; s++)
			if (!((*s >= '0' && *s <= '9') ||
			    (*s >= 'A' && *s <= 'Z') ||
			    (*s >= 'a' && *s <= 'z') ||
			    strchr("'()+_,-./:=? ", *s) != NULL))
				return -1;
		if (s[-1] == ' ')
			return -1;
		memcpy(boundary, value, sizeof(value));
	}
	return r == 0 && found ? 1 : -1;
}

void
mp_init(struct multipart *m, const char *boundary, const char *file)
{
	size_t	 n = strlen(boundary);

	memset(m, 0, sizeof(*m));
	if (n > MP_BOUNDARY_MAX)
		n = MP_BOUNDARY_MAX;
	memcpy(m->delim, "\r\n--", 4);
	memcpy(m->delim + 4, boundary, n);
	m->delim_len = 4 + n;
	m->match = 2;
	m->file = file;
	m->state = MPS_START;
}

/* Content-Disposition: form-data; name="..."; the file name is no concern
 * of ours. */
static int
disposition(struct multipart *m, const char *s)
{
	const char	*name;
	char		 value[MP_NAME_MAX + 1];
	size_t		 len, i;
	int		 r, fits;

	if (m->has_name || strncasecmp(s, "form-data", 9) != 0)
		return -1;
	s += 9;
	while ((r = parameter(&s, &name, &len, value, sizeof(value),
	    &fits)) == 1) {
		if (len != 4 || strncasecmp(name, "name", len) != 0)
			continue;
		if (m->has_name || !fits || value[0] == '\0')
			return -1;
		for (i = 0; value[i] != '\0'; i++)
			if ((unsigned char)value[i] < ' ' || value[i] == 0x7f)
				return -1;
		memcpy(m->name, value, sizeof(m->name));
		m->has_name = 1;
	}
	return r == 0 && m->has_name ? 0 : -1;
}

static int
header(struct multipart *m)
{
	char	*value;
	size_t	 n;

	m->line[m->line_len] = '\0';
	if (strlen(m->line) != m->line_len)
		return -1;
	for (n = 0; http_istoken((unsigned char)m->line[n]); n++)
		continue;
	if (n == 0 || m->line[n] != ':')
		return -1;
	m->line[n] = '\0';
	value = m->line + n + 1;
	value += strspn(value, " \t");
	if (strcasecmp(m->line, "content-disposition") == 0)
		return disposition(m, value);
	/* An encoded archive would be taken for the archive. */
	if (strcasecmp(m->line, "content-transfer-encoding") == 0 &&
	    strcasecmp(value, "binary") != 0 &&
	    strcasecmp(value, "8bit") != 0 &&
	    strcasecmp(value, "7bit") != 0)
		return -1;
	return 0;
}

static void
begin_part(struct multipart *m)
{
	m->state = MPS_HEADER;
	m->headers = 0;
	m->header_bytes = 0;
	m->line_len = 0;
	m->has_name = 0;
	m->is_file = 0;
	m->match = 0;
	m->value_len = 0;
}

/* The LF that ends a header line; the empty line ends the headers. */
static enum mp_event
end_line(struct multipart *m)
{
	if (m->line_len > 0) {
		if (++m->headers > MP_HEADERS_MAX)
			return bad(m, "too many headers in a part");
		if (header(m) == -1)
			return bad(m, "malformed header in a part");
		m->line_len = 0;
		m->state = MPS_HEADER;
		return MP_MORE;
	}
	if (!m->has_name)
		return bad(m, "part without a name");
	m->state = MPS_BODY;
	m->is_file = strcmp(m->name, m->file) == 0;
	return m->is_file ? MP_FILE : MP_MORE;
}

/* One byte of anything but a part's body. */
static enum mp_event
step(struct multipart *m, char c)
{
	switch (m->state) {
	case MPS_START:
		if (m->match == 2 && c == '\r') {
			m->match = 1;
			break;
		}
		if (c != m->delim[m->match])
			return bad(m, "body does not start with the boundary");
		if (++m->match == m->delim_len)
			m->state = MPS_TAIL;
		break;
	case MPS_TAIL:
		if (c == '-')
			m->state = MPS_TAIL_DASH;
		else if (c == '\r')
			m->state = MPS_TAIL_LF;
		else
			return bad(m, "bytes behind a boundary");
		break;
	case MPS_TAIL_LF:
		if (c != '\n')
			return bad(m, "bytes behind a boundary");
		if (++m->parts > MP_PARTS_MAX)
			return bad(m, "too many parts");
		begin_part(m);
		break;
	case MPS_TAIL_DASH:
		if (c != '-')
			return bad(m, "bytes behind a boundary");
		m->state = MPS_END;
		break;
	case MPS_HEADER:
		if (++m->header_bytes >= MP_HEADER_MAX)
			return bad(m, "headers of a part too long");
		if (c == '\r')
			m->state = MPS_HEADER_LF;
		else if (((unsigned char)c < ' ' && c != '\t') || c == 0x7f)
			return bad(m, "control byte in a part's header");
		else
			m->line[m->line_len++] = c;
		break;
	case MPS_HEADER_LF:
		if (c != '\n')
			return bad(m, "malformed header in a part");
		return end_line(m);
	case MPS_END:
	case MPS_END_LF:
		if (c != (m->state == MPS_END ? '\r' : '\n'))
			return bad(m, "bytes behind the last boundary");
		m->state++;
		break;
	case MPS_END_ALL:
		return bad(m, "bytes behind the last boundary");
	}
	return MP_MORE;
}

static enum mp_event
end_part(struct multipart *m)
{
	m->state = MPS_TAIL;
	if (m->is_file)
		return MP_FILE_END;
	m->value[m->value_len] = '\0';
	if (strlen(m->value) != m->value_len)
		return bad(m, "NUL in a field");
	return MP_FIELD;
}

/*
 * Bytes of the part before the next delimiter: returns how many of in[0..n)
 * are surely data.  The rest is empty or the beginning of a delimiter.
 */
static size_t
scan(const struct multipart *m, const char *in, size_t n)
{
	const char	*p = in, *end = in + n;
	size_t		 k;

	while ((p = memchr(p, '\r', (size_t)(end - p))) != NULL) {
		k = (size_t)(end - p);
		if (k > m->delim_len)
			k = m->delim_len;
		if (memcmp(p, m->delim, k) == 0)
			return (size_t)(p - in);
		p++;
	}
	return n;
}

/* Part data: nothing, an event, or data in *data, *len. */
static enum mp_event
body(struct multipart *m, const char *in, size_t n, size_t *used,
    const char **data, size_t *len)
{
	size_t	 i = 0;

	if (m->match == 0 && (*len = scan(m, in, n)) > 0) {
		*data = in;
		*used = *len;
		return MP_DATA;
	}
	while (i < n && in[i] == m->delim[m->match]) {
		i++;
		if (++m->match == m->delim_len) {
			*used = i;
			return end_part(m);
		}
	}
	*used = i;
	if (i == n)
		return MP_MORE;
	/* No delimiter after all: what had matched is data. */
	*data = m->delim;
	*len = m->match;
	m->match = 0;
	return MP_DATA;
}

enum mp_event
mp_feed(struct multipart *m, const char *in, size_t n, size_t *used,
    const char **data, size_t *len)
{
	enum mp_event	 ev;
	size_t		 i = 0, k;

	for (;;) {
		*used = i;
		if (m->state == MPS_BAD)
			return MP_BAD;
		if (i == n)
			return MP_MORE;
		if (m->state != MPS_BODY) {
			ev = step(m, in[i++]);
			*used = i;
			if (ev != MP_MORE)
				return ev;
			continue;
		}
		ev = body(m, in + i, n - i, &k, data, len);
		i += k;
		*used = i;
		if (ev == MP_MORE)
			continue;
		if (ev != MP_DATA || m->is_file)
			return ev;
		if (*len > MP_VALUE_MAX - m->value_len)
			return bad(m, "a field is too long");
		memcpy(m->value + m->value_len, *data, *len);
		m->value_len += *len;
	}
}

int
mp_finish(struct multipart *m)
{
	if (m->state == MPS_END || m->state == MPS_END_ALL)
		return 0;
	if (m->state != MPS_BAD)
		bad(m, "body ends before the last boundary");
	return -1;
}
