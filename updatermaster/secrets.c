/*
 * What must not leave the master.
 *
 * By name, without regard to case: a file called so is never wanted on a
 * host, or so seldom that it has to be asked for (--include).
 *
 * By content: a private key, whatever its file is called and wherever in
 * it the key stands.  The words alone do not make one: every program that
 * is linked with a TLS library has "-----BEGIN PRIVATE KEY-----" in it.
 * Behind the words there have to be a line's end (or what JSON and shell
 * write for one) and a line of base64.
 */
#include <sys/types.h>

#include <ctype.h>
#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#include "secrets.h"

/* A key's beginning and its first line of base64 fit into this, headers of
 * the old PEM form between them included. */
#define WINDOW		2048	/* bytes */
#define RUN		24	/* characters of base64 that are a key */
#define HEADERS		16	/* lines at most */

struct rule {
	const char	*glob;
	enum leave	 leave;
	int		 dir;		/* 1: directory, 0: none, -1: both */
	const char	*parent;	/* must be in this one, or NULL */
	const char	*why;
};

static const struct rule	rules[] = {
	/* first what looks like a secret and is none */
	{ ".env.example", LEAVE_NOT, 0, NULL, NULL },
	{ ".env.sample", LEAVE_NOT, 0, NULL, NULL },
	{ ".env.template", LEAVE_NOT, 0, NULL, NULL },

	{ ".env", LEAVE_SECRET, -1, NULL, "environment" },
	{ ".env.*", LEAVE_SECRET, -1, NULL, "environment" },
	{ "*.env", LEAVE_SECRET, 0, NULL, "environment" },
	{ ".envrc", LEAVE_SECRET, 0, NULL, "environment" },
	{ "*.key", LEAVE_SECRET, 0, NULL, "key" },
	{ "*.pem", LEAVE_SECRET, 0, NULL, "key or certificate" },
	{ "*.crt", LEAVE_SECRET, 0, NULL, "certificate" },
	{ "*.cer", LEAVE_SECRET, 0, NULL, "certificate" },
	{ "*.der", LEAVE_SECRET, 0, NULL, "key or certificate" },
	{ "*.csr", LEAVE_SECRET, 0, NULL, "certificate" },
	{ "*.p8", LEAVE_SECRET, 0, NULL, "key" },
	{ "*.p12", LEAVE_SECRET, 0, NULL, "key" },
	{ "*.pfx", LEAVE_SECRET, 0, NULL, "key" },
	{ "*.jks", LEAVE_SECRET, 0, NULL, "key store" },
	{ "*.keystore", LEAVE_SECRET, 0, NULL, "key store" },
	{ "*.bks", LEAVE_SECRET, 0, NULL, "key store" },
	{ "*.ppk", LEAVE_SECRET, 0, NULL, "key" },
	{ "*.sec", LEAVE_SECRET, 0, NULL, "signify key" },
	{ "*.gpg", LEAVE_SECRET, 0, NULL, "gpg" },
	{ "*.asc", LEAVE_SECRET, 0, NULL, "gpg" },
	{ "*.age", LEAVE_SECRET, 0, NULL, "age" },
	{ "*.kdbx", LEAVE_SECRET, 0, NULL, "password store" },
	{ "*.kdb", LEAVE_SECRET, 0, NULL, "password store" },
	{ "*.ovpn", LEAVE_SECRET, 0, NULL, "VPN key" },
	{ "*.keytab", LEAVE_SECRET, 0, NULL, "key table" },
	{ "id_rsa*", LEAVE_SECRET, 0, NULL, "ssh key" },
	{ "id_dsa*", LEAVE_SECRET, 0, NULL, "ssh key" },
	{ "id_ecdsa*", LEAVE_SECRET, 0, NULL, "ssh key" },
	{ "id_ed25519*", LEAVE_SECRET, 0, NULL, "ssh key" },
	{ "ssh_host_*_key*", LEAVE_SECRET, 0, NULL, "ssh key" },
	{ "authorized_keys*", LEAVE_SECRET, 0, NULL, "ssh" },
	{ ".ssh", LEAVE_SECRET, -1, NULL, "ssh" },
	{ ".aws", LEAVE_SECRET, -1, NULL, "credentials" },
	{ ".azure", LEAVE_SECRET, -1, NULL, "credentials" },
	{ ".gcloud", LEAVE_SECRET, -1, NULL, "credentials" },
	{ ".kube", LEAVE_SECRET, -1, NULL, "credentials" },
	{ "kubeconfig", LEAVE_SECRET, 0, NULL, "credentials" },
	{ ".docker", LEAVE_SECRET, 1, NULL, "credentials" },
	{ ".dockercfg", LEAVE_SECRET, 0, NULL, "credentials" },
	{ ".gnupg", LEAVE_SECRET, -1, NULL, "gpg" },
	{ ".password-store", LEAVE_SECRET, -1, NULL, "password store" },
	{ ".netrc", LEAVE_SECRET, 0, NULL, "passwords" },
	{ "_netrc", LEAVE_SECRET, 0, NULL, "passwords" },
	{ ".npmrc", LEAVE_SECRET, 0, NULL, "tokens" },
	{ ".yarnrc*", LEAVE_SECRET, 0, NULL, "tokens" },
	{ ".pypirc", LEAVE_SECRET, 0, NULL, "tokens" },
	{ ".git-credentials", LEAVE_SECRET, 0, NULL, "passwords" },
	{ ".pgpass", LEAVE_SECRET, 0, NULL, "passwords" },
	{ ".my.cnf", LEAVE_SECRET, 0, NULL, "passwords" },
	{ ".htpasswd", LEAVE_SECRET, 0, NULL, "passwords" },
	{ ".vault-token", LEAVE_SECRET, 0, NULL, "tokens" },
	{ ".vault_pass*", LEAVE_SECRET, 0, NULL, "passwords" },
	{ ".boto", LEAVE_SECRET, 0, NULL, "credentials" },
	{ ".s3cfg", LEAVE_SECRET, 0, NULL, "credentials" },
	{ "credentials", LEAVE_SECRET, 0, NULL, "credentials" },
	{ "credentials.json", LEAVE_SECRET, 0, NULL, "credentials" },
	{ "client_secret*.json", LEAVE_SECRET, 0, NULL, "credentials" },
	{ "service-account*.json", LEAVE_SECRET, 0, NULL, "credentials" },
	{ "service_account*.json", LEAVE_SECRET, 0, NULL, "credentials" },
	{ "secrets.json", LEAVE_SECRET, 0, NULL, "credentials" },
	{ "secrets.y*ml", LEAVE_SECRET, 0, NULL, "credentials" },
	{ "secrets.toml", LEAVE_SECRET, 0, NULL, "credentials" },
	{ "*.tfstate", LEAVE_SECRET, 0, NULL, "terraform" },
	{ "*.tfstate.*", LEAVE_SECRET, 0, NULL, "terraform" },
	{ "*.tfvars", LEAVE_SECRET, 0, NULL, "terraform" },
	{ ".terraform", LEAVE_SECRET, 1, NULL, "terraform" },
	{ ".updater", LEAVE_SECRET, -1, NULL, "updatermaster's own" },
	{ ".*_history", LEAVE_SECRET, 0, NULL, "shell history" },

	{ ".git", LEAVE_JUNK, -1, NULL, "version control" },
	{ ".hg", LEAVE_JUNK, -1, NULL, "version control" },
	{ ".svn", LEAVE_JUNK, -1, NULL, "version control" },
	{ "__pycache__", LEAVE_JUNK, 1, NULL, "cache" },
	{ "*.pyc", LEAVE_JUNK, 0, NULL, "cache" },
	{ "*.pyo", LEAVE_JUNK, 0, NULL, "cache" },
	{ ".cache", LEAVE_JUNK, 1, NULL, "cache" },
	{ ".mypy_cache", LEAVE_JUNK, 1, NULL, "cache" },
	{ ".pytest_cache", LEAVE_JUNK, 1, NULL, "cache" },
	{ ".ruff_cache", LEAVE_JUNK, 1, NULL, "cache" },
	{ ".tox", LEAVE_JUNK, 1, NULL, "cache" },
	{ ".nox", LEAVE_JUNK, 1, NULL, "cache" },
	{ ".npm", LEAVE_JUNK, 1, NULL, "cache" },
	{ ".vite", LEAVE_JUNK, 1, "node_modules", "cache" },
	{ "*.db", LEAVE_JUNK, 0, NULL, "database" },
	{ "*.db-*", LEAVE_JUNK, 0, NULL, "database" },
	{ "*.sqlite*", LEAVE_JUNK, 0, NULL, "database" },
	{ "*.log", LEAVE_JUNK, 0, NULL, "log" },
	{ ".DS_Store", LEAVE_JUNK, 0, NULL, "cache" },
	{ "*.swp", LEAVE_JUNK, 0, NULL, "editor's copy" },
	{ ".updaterignore", LEAVE_JUNK, 0, NULL, "updatermaster's own" },
};

enum leave
secret_name(const char *name, const char *parent, int dir, const char **why)
{
	const struct rule	*r;
	size_t			 i;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		r = &rules[i];
		if (r->dir != -1 && r->dir != (dir != 0))
			continue;
		if (r->parent != NULL && strcasecmp(r->parent, parent) != 0)
			continue;
		if (fnmatch(r->glob, name, FNM_CASEFOLD) != 0)
			continue;
		*why = r->why;
		return r->leave;
	}
	return LEAVE_NOT;
}

/* --- by content ------------------------------------------------------- */

/* Behind one line's end: LF, CR LF, or "\n" as JSON has it.  NULL if there
 * is none here. */
static const char *
line_end(const char *p, const char *end)
{
	while (end - p >= 2 && p[0] == '\\' && p[1] == 'r')
		p += 2;
	if (end - p >= 2 && p[0] == '\\' && p[1] == 'n')
		return p + 2;
	while (p < end && (*p == '\r' || *p == ' ' || *p == '\t'))
		p++;
	return p < end && *p == '\n' ? p + 1 : NULL;
}

/* Is here, indented or quoted perhaps, a line of base64? */
static int
base64_run(const char *p, const char *end)
{
	const char	*start;

	while (p < end && (*p == ' ' || *p == '\t' || *p == '"' ||
	    *p == '\'' || *p == '>' || *p == '+'))
		p++;
	start = p;
	while (p < end && (isalnum((unsigned char)*p) || *p == '+' ||
	    *p == '/' || *p == '='))
		p++;
	return p - start >= RUN;
}

/* Base64 behind at most some header lines ("Proc-Type: ..."). */
static int
body_follows(const char *p, const char *end)
{
	const char	*next;
	int		 i;

	if ((p = line_end(p, end)) == NULL)
		return 0;
	for (i = 0; i < HEADERS && p < end; i++) {
		if (base64_run(p, end))
			return 1;
		for (next = p; next < end && *next != '\n' &&
		    !(*next == '\\' && end - next > 1 && next[1] == 'n');
		    next++)
			if (!isprint((unsigned char)*next) && *next != '\t' &&
			    *next != '\r')
				return 0;
		/* A header, or an empty line; anything else is prose. */
		if (next - p > 2 && memchr(p, ':', (size_t)(next - p)) == NULL)
			return 0;
		if ((p = line_end(next, end)) == NULL)
			return 0;
	}
	return 0;
}

/* "-----BEGIN [WORDS ]PRIVATE KEY[ BLOCK]-----" at p; behind it, or NULL. */
static const char *
pem_begin(const char *p, const char *end)
{
	static const char	 begin[] = "-----BEGIN ";
	static const char	 key[] = "PRIVATE KEY";
	static const char	 block[] = " BLOCK";
	int			 i;

	if ((size_t)(end - p) < sizeof(begin) - 1 ||
	    memcmp(p, begin, sizeof(begin) - 1) != 0)
		return NULL;
	p += sizeof(begin) - 1;
	for (i = 0; i < 40; i++, p++) {
		if ((size_t)(end - p) < sizeof(key) - 1)
			return NULL;
		if (memcmp(p, key, sizeof(key) - 1) == 0)
			break;
		if (!isupper((unsigned char)*p) && *p != ' ' &&
		    !isdigit((unsigned char)*p))
			return NULL;
	}
	if (i == 40)
		return NULL;
	p += sizeof(key) - 1;
	if ((size_t)(end - p) >= sizeof(block) - 1 &&
	    memcmp(p, block, sizeof(block) - 1) == 0)
		p += sizeof(block) - 1;
	if (end - p < 5 || memcmp(p, "-----", 5) != 0)
		return NULL;
	return p + 5;
}

static const char *
signify_begin(const char *p, const char *end)
{
	static const char	 comment[] = "untrusted comment:";
	static const char	 words[] = "secret key";
	const char		*nl;

	if ((size_t)(end - p) < sizeof(comment) - 1 ||
	    memcmp(p, comment, sizeof(comment) - 1) != 0)
		return NULL;
	if ((nl = memchr(p, '\n', (size_t)(end - p))) == NULL ||
	    memmem(p, (size_t)(nl - p), words, sizeof(words) - 1) == NULL)
		return NULL;
	return nl;
}

/* Does a key begin here? */
static const char *
key_at(const char *p, const char *end)
{
	static const char	 putty[] = "PuTTY-User-Key-File-";
	static const char	 age[] = "AGE-SECRET-KEY-1";
	const char		*q;

	switch (*p) {
	case '-':
		if ((q = pem_begin(p, end)) != NULL && body_follows(q, end))
			return "private key";
		break;
	case 'u':
		if ((q = signify_begin(p, end)) != NULL &&
		    body_follows(q, end))
			return "signify secret key";
		break;
	case 'P':
		if ((size_t)(end - p) > sizeof(putty) &&
		    memcmp(p, putty, sizeof(putty) - 1) == 0 &&
		    isdigit((unsigned char)p[sizeof(putty) - 1]) &&
		    p[sizeof(putty)] == ':')
			return "PuTTY private key";
		break;
	case 'A':
		if ((size_t)(end - p) > sizeof(age) - 1 &&
		    memcmp(p, age, sizeof(age) - 1) == 0 &&
		    base64_run(p + sizeof(age) - 1, end))
			return "age secret key";
		break;
	}
	return NULL;
}

/* Search up to `stop`; a key may go on until `end`. */
static const char *
search(const char *p, const char *stop, const char *end)
{
	static const char	*const starts[] = { "-----BEGIN ",
				    "untrusted comment:",
				    "PuTTY-User-Key-File-",
				    "AGE-SECRET-KEY-1" };
	const char		*q, *found;
	size_t			 i;

	for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		for (q = p; (q = memmem(q, (size_t)(end - q), starts[i],
		    strlen(starts[i]))) != NULL && q < stop; q++)
			if ((found = key_at(q, end)) != NULL)
				return found;
	return NULL;
}

const char *
secret_scan(struct secret_scan *s, const char *data, size_t len, int last)
{
	const char	*found;
	size_t		 n;

	for (;;) {
		n = sizeof(s->kept) - s->len < len ?
		    sizeof(s->kept) - s->len : len;
		memcpy(s->kept + s->len, data, n);
		s->len += n;
		data += n;
		len -= n;
		if (len == 0 && last)
			return search(s->kept, s->kept + s->len,
			    s->kept + s->len);
		if (s->len < sizeof(s->kept))
			return NULL;
		/* Full: what begins in the last part is looked at again. */
		n = s->len - WINDOW;
		if ((found = search(s->kept, s->kept + n,
		    s->kept + s->len)) != NULL)
			return found;
		memmove(s->kept, s->kept + n, WINDOW);
		s->len = WINDOW;
	}
}
