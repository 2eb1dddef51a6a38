/*
 * One attempt at a request: what curl is told, what it brings, and what its
 * end means.
 *
 * The host's certificate is looked at in the place of OpenSSL's own
 * verification, within the handshake.  The body is read with pread(2) from
 * one descriptor: all hosts share its pages, the disk is read once.
 */
#include <sys/types.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "transfer.h"

#define CONNECT_TIMEOUT	10		/* seconds, TLS included */
#define EXPECT_TIMEOUT	60000L		/* ms until a host that does not say
					 * `continue` gets the body anyhow */
#define SILENCE_MAX	3600L		/* seconds without a byte: install
					 * steps may take their time */
#define KEEPALIVE_IDLE	20L		/* seconds; a host that died is found */
#define KEEPALIVE_EVERY	10L
#define READ_SIZE	4096L		/* bytes of curl's buffers for a host */
#define UPLOAD_SIZE	16384L		/* one TLS record; curl's least */
#define ANSWER_MAX	(4U * 1024 * 1024)	/* bytes of an answer */

int
pin_parse(const char *s, uint8_t *pin)
{
	static const char	 hex[] = "0123456789abcdef";
	const char		*p;
	size_t			 i;

	if (strncasecmp(s, "SHA256:", 7) != 0 ||
	    strlen(s += 7) != (size_t)UPD_DIGEST_LEN * 2)
		return -1;
	memset(pin, 0, UPD_DIGEST_LEN);
	for (i = 0; s[i] != '\0'; i++) {
		p = strchr(hex, s[i] >= 'A' && s[i] <= 'F' ? s[i] + 32 : s[i]);
		if (p == NULL)
			return -1;
		pin[i / 2] = (uint8_t)(pin[i / 2] << 4 | (p - hex));
	}
	return 0;
}

/* --- TLS -------------------------------------------------------------- */

/*
 * In the place of OpenSSL's own verification: the fingerprint first, then
 * the chain up to our CA.  Zero ends the handshake; neither our certificate
 * nor a byte of the request has gone out by then.
 */
static int
verify(X509_STORE_CTX *ctx, void *arg)
{
	struct request	*r = arg;
	X509		*leaf = X509_STORE_CTX_get0_cert(ctx);
	unsigned int	 n = 0;

	if (leaf == NULL || X509_digest(leaf, EVP_sha256(), r->seen, &n) !=
	    1 || n != UPD_DIGEST_LEN ||
	    CRYPTO_memcmp(r->seen, r->pin, n) != 0) {
		r->differs = 1;
		X509_STORE_CTX_set_error(ctx,
		    X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	if (X509_verify_cert(ctx) == 1)
		return 1;
	r->verify = X509_STORE_CTX_get_error(ctx);
	if (r->verify == X509_V_OK)
		r->verify = X509_V_ERR_UNSPECIFIED;
	return 0;
}

static CURLcode
setup_tls(CURL *easy, void *context, void *arg)
{
	struct request	*r = arg;
	SSL_CTX		*ctx = context;

	if (SSL_CTX_use_certificate(ctx, r->client->cert) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, r->client->key) != 1)
		return CURLE_SSL_CERTPROBLEM;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify, r);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	return CURLE_OK;
}

/* --- bodies ----------------------------------------------------------- */

static size_t
read_body(char *buf, size_t size, size_t n, void *arg)
{
	struct request	*r = arg;
	uint64_t	 left = r->body->size - r->sent;
	size_t		 want = size * n;
	ssize_t		 got;

	if (want > left)
		want = (size_t)left;
	if (want == 0)
		return 0;
	do
		got = pread(r->body->fd, buf, want, (off_t)r->sent);
	while (got == -1 && errno == EINTR);
	if (got <= 0)
		return CURL_READFUNC_ABORT;
	r->sent += (uint64_t)got;
	return (size_t)got;
}

static int
seek_body(void *arg, curl_off_t offset, int whence)
{
	struct request	*r = arg;

	if (whence != SEEK_SET || offset < 0 ||
	    (uint64_t)offset > r->body->size)
		return CURL_SEEKFUNC_FAIL;
	r->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

int
request_line(struct request *r, const char *line, size_t len)
{
	json_t		*o, *v;
	const char	*event;
	int		 last = 0;

	o = json_loadb(line, len, 0, NULL);
	event = json_string_value(json_object_get(o, "event"));
	if (event == NULL) {
		json_decref(o);
		return -1;
	}
	if (strcmp(event, "done") == 0) {
		v = json_object_get(o, "status");
		r->status = (int)json_integer_value(v);
		json_decref(r->answer);
		r->answer = json_incref(json_object_get(o, "body"));
		last = 1;
	} else if (r->event != NULL) {
		v = json_object_get(o, "bytes");
		r->event(r, event, (uint64_t)json_integer_value(v));
	}
	json_decref(o);
	return last;
}

/* Take the complete lines out of the buffer. */
static void
take_lines(struct request *r)
{
	char	*p = r->in.data, *end;
	size_t	 left = r->in.len;

	while (left > 0 && (end = memchr(p, '\n', left)) != NULL) {
		if (request_line(r, p, (size_t)(end - p)) == 1)
			r->end = REQUEST_ANSWER;
		left -= (size_t)(end - p) + 1;
		p = end + 1;
	}
	if (left > 0)
		memmove(r->in.data, p, left);
	r->in.len = left;
	if (left == 0)
		buf_free(&r->in);
}

static size_t
take_answer(char *data, size_t size, size_t n, void *arg)
{
	static const char	 events[] = "application/x-ndjson";
	struct request		*r = arg;
	char			*type = NULL;

	n *= size;
	if (r->in.len + n > ANSWER_MAX || buf_add(&r->in, data, n) == -1)
		return 0;
	if (curl_easy_getinfo(r->easy, CURLINFO_CONTENT_TYPE, &type) ==
	    CURLE_OK && type != NULL &&
	    strncasecmp(type, events, sizeof(events) - 1) == 0) {
		r->streaming = 1;
		take_lines(r);
	}
	return n;
}

/* --- the end ---------------------------------------------------------- */

static void
fingerprint(const uint8_t *digest, char *out, size_t size)
{
	char	 hex[UPD_HEX_SIZE];

	digest_hex(digest, hex);
	snprintf(out, size, "SHA256:%s", hex);
}

/* What the end of a transfer means. */
enum request_end
transfer_end(struct request *r, CURLcode code)
{
	char		 want[UPD_FPR_SIZE], came[UPD_FPR_SIZE];
	const char	*why;
	curl_off_t	 begun = 0;
	long		 status = 0;

	if (r->end == REQUEST_ANSWER)
		return r->end;		/* the last event has come */
	if (r->differs) {
		fingerprint(r->pin, want, sizeof(want));
		fingerprint(r->seen, came, sizeof(came));
		snprintf(r->text, sizeof(r->text), "certificate differs from "
		    "the recorded one: expected %s, came %s; nothing was sent",
		    want, came);
		return REQUEST_DISTRUST;
	}
	if (r->verify != X509_V_OK) {
		snprintf(r->text, sizeof(r->text), "certificate refused: %s; "
		    "nothing was sent",
		    X509_verify_cert_error_string(r->verify));
		return REQUEST_DISTRUST;
	}
	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!r->streaming && status >= 200 && (code == CURLE_OK ||
	    status >= 300)) {
		/* A refusal may come while our body is still going out. */
		r->answer = r->in.len == 0 ? NULL :
		    json_loadb(r->in.data, r->in.len, 0, NULL);
		if (code == CURLE_OK || r->answer != NULL) {
			r->status = (int)status;
			return REQUEST_ANSWER;
		}
	}
	why = r->errors[0] != '\0' ? r->errors : curl_easy_strerror(code);
	if (code == CURLE_OK)
		why = "the answer broke off";
	/* An alert is the host's word: to try again would not change it. */
	if (strstr(why, " alert ") != NULL) {
		snprintf(r->text, sizeof(r->text), "the host refuses the "
		    "connection: %.400s", why);
		return REQUEST_REFUSED;
	}
	snprintf(r->text, sizeof(r->text), "%.500s", why);
	curl_easy_getinfo(r->easy, CURLINFO_PRETRANSFER_TIME_T, &begun);
	return begun > 0 ? REQUEST_LOST : REQUEST_UNREACHED;
}

void
transfer_drop(struct request *r)
{
	if (r->easy != NULL) {
		curl_multi_remove_handle(r->client->multi, r->easy);
		curl_easy_cleanup(r->easy);
	}
	curl_slist_free_all(r->headers);
	curl_slist_free_all(r->to);
	buf_free(&r->in);
	free(r->errors);
	r->easy = r->headers = r->to = NULL;
	r->errors = NULL;
}

/* --- the beginning ---------------------------------------------------- */

static int
set_headers(struct request *r)
{
	struct curl_slist	*l = NULL, *n;
	const char		*lines[4];
	size_t			 i = 0;

	lines[i++] = r->events ? "Accept: application/x-ndjson" :
	    "Accept: application/json";
	if (r->body != NULL) {
		lines[i++] = "Expect: 100-continue";
		lines[i++] = "Content-Type: application/octet-stream";
	}
	while (i-- > 0) {
		if ((n = curl_slist_append(l, lines[i])) == NULL) {
			curl_slist_free_all(l);
			return -1;
		}
		l = n;
	}
	r->headers = l;
	return 0;
}

/* "::address:port" for CONNECT_TO; IPv6 addresses want brackets. */
static int
set_address(struct request *r)
{
	const char	*a = r->host->address;
	char		*text;

	if (asprintf(&text, strchr(a, ':') != NULL && a[0] != '[' ?
	    "::[%s]:%u" : "::%s:%u", a, (unsigned int)r->host->port) == -1)
		return -1;
	r->to = curl_slist_append(NULL, text);
	free(text);
	return r->to != NULL ? 0 : -1;
}

static int
set_url(struct request *r)
{
	char	*url;
	int	 rv;

	if (asprintf(&url, "https://%s:%u%s", r->host->name,
	    (unsigned int)r->host->port, r->path) == -1)
		return -1;
	rv = curl_easy_setopt(r->easy, CURLOPT_URL, url) == CURLE_OK ? 0 : -1;
	free(url);
	return rv;
}

#define SET(opt, value)	\
	(rv |= curl_easy_setopt(r->easy, (opt), (value)) != CURLE_OK)

static int
set_body(struct request *r)
{
	int	 rv = 0;

	if (r->body != NULL) {
		SET(CURLOPT_UPLOAD, 1L);
		SET(CURLOPT_CUSTOMREQUEST, r->method);
		SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->body->size);
		SET(CURLOPT_READFUNCTION, read_body);
		SET(CURLOPT_READDATA, r);
		SET(CURLOPT_SEEKFUNCTION, seek_body);
		SET(CURLOPT_SEEKDATA, r);
		SET(CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_SIZE);
		SET(CURLOPT_EXPECT_100_TIMEOUT_MS, EXPECT_TIMEOUT);
	} else if (strcmp(r->method, "POST") == 0) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE, 0L);
		SET(CURLOPT_POSTFIELDS, "");
	}
	return rv;
}

static int
set_options(struct request *r)
{
	int	 rv = 0;

	SET(CURLOPT_PRIVATE, r);
	SET(CURLOPT_ERRORBUFFER, r->errors);
	SET(CURLOPT_HTTPHEADER, r->headers);
	SET(CURLOPT_CONNECT_TO, r->to);
	SET(CURLOPT_PROTOCOLS_STR, "https");
	SET(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_PROXY, "");			/* whatever the environment */
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT);
	SET(CURLOPT_TIMEOUT, (long)r->timeout);
	SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(CURLOPT_LOW_SPEED_TIME, SILENCE_MAX);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE);
	SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE_EVERY);
	SET(CURLOPT_FORBID_REUSE, r->client->keep ? 0L : 1L);
	SET(CURLOPT_BUFFERSIZE, READ_SIZE);
	SET(CURLOPT_WRITEFUNCTION, take_answer);
	SET(CURLOPT_WRITEDATA, r);
	SET(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
	SET(CURLOPT_CAINFO, r->client->ca);
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 0L);	/* see the head of client.h */
	/* Without it there is no fingerprint: fails with another backend. */
	SET(CURLOPT_SSL_CTX_FUNCTION, setup_tls);
	SET(CURLOPT_SSL_CTX_DATA, r);
	return rv;
}
#undef SET

int
transfer_begin(struct request *r)
{
	r->sent = 0;
	r->status = 0;
	r->text[0] = '\0';
	r->streaming = r->differs = 0;
	r->verify = X509_V_OK;
	if ((r->errors = calloc(1, CURL_ERROR_SIZE)) != NULL &&
	    (r->easy = curl_easy_init()) != NULL && set_headers(r) == 0 &&
	    set_address(r) == 0 && set_url(r) == 0 && set_options(r) == 0 &&
	    set_body(r) == 0 && curl_multi_add_handle(r->client->multi,
	    r->easy) == CURLM_OK)
		return 0;
	curl_easy_cleanup(r->easy);
	r->easy = NULL;
	snprintf(r->text, sizeof(r->text), "cannot set up a request: out of "
	    "memory, or libcurl was built without OpenSSL");
	return -1;
}

void
request_free(struct request *r)
{
	json_decref(r->answer);
	r->answer = NULL;
	free(r->path);
	r->path = NULL;
}
