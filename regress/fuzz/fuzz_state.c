/*
 * The state files, JSON: an instance's intent, the journal, a release's
 * record, the history (the first byte says which).  What is read as good can
 * be written, and reads then as the same.
 */
/* LINK: updaterd/parent/dump.o updaterd/parent/intent.o updaterd/parent/journal.o updaterd/parent/history.o updaterd/parent/record.o updaterd/parent/utf8.o common/proto.o common/util.o common/error.o common/compat/imsg.o regress/fuzz/quiet.o */
/* LIBS: -ljansson */
#include "scratch.h"

#include "parent/intent.h"
#include "parent/journal.h"
#include "parent/record.h"
#include "util.h"

#define ID	"20261122T014955Z-1a2b3c4d5e6f"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
try_intent(void)
{
	static struct intent	 a, b;
	char			 why[UPD_TEXT_SIZE];
	int			 r;

	why[0] = '\0';
	if ((r = intent_read(scratch_fd, "x", &a, why)) == 0)
		abort();
	if (r == -1) {
		if (why[0] == '\0')
			abort();
		return;
	}
	if (a.pid == 1 || a.pid < 0 || !PROTO_STR(a.desired_by) ||
	    !PROTO_STR(a.state) || !PROTO_STR(a.boot) ||
	    !PROTO_STR(a.exit_text) || a.exit_kind >= EXIT__MAX ||
	    (a.release[0] != '\0' && !id_isvalid(a.release)))
		abort();
	/* what is not written of an exit that was none */
	if (a.exit_kind == EXIT_NONE) {
		a.exit_value = a.exit_planned = 0;
		a.exit_at = 0;
		memset(a.exit_text, 0, sizeof(a.exit_text));
	}
	if (intent_replace(scratch_fd, "x", &a) == -1 ||
	    intent_read(scratch_fd, "x", &b, why) != 1 ||
	    memcmp(&a, &b, sizeof(a)) != 0)
		abort();
}

static void
try_journal(struct store *s)
{
	static struct journal	 a, b;

	if (journal_read(s, &a) != 1) {
		if (a.phase != JOURNAL_NONE || a.to[0] != '\0')
			abort();
		return;
	}
	if (a.phase <= JOURNAL_NONE || a.phase >= JOURNAL__MAX ||
	    !record_isid(a.to) || !PROTO_STR(a.by) ||
	    (a.from[0] != '\0' && !record_isid(a.from)) ||
	    (a.from_prev[0] != '\0' && !record_isid(a.from_prev)))
		abort();
	if (journal_write(s, &a) == -1 || journal_read(s, &b) != 1 ||
	    memcmp(&a, &b, sizeof(a)) != 0)
		abort();
	if (journal_remove(s) == -1 || journal_read(s, &b) != 0)
		abort();
}

static void
try_record(void)
{
	static struct release	 a, b;
	json_t			*j;

	if (record_read(scratch_fd, "x", ID, &a) != 1)
		return;
	if (strcmp(a.id, ID) != 0 || a.state >= RELEASE__MAX ||
	    !PROTO_STR(a.sha) || !PROTO_STR(a.signer) || !PROTO_STR(a.by) ||
	    !PROTO_STR(a.why) || (a.sha256[0] != '\0' &&
	    !digest_ishex(a.sha256)))
		abort();
	/* a text that was cut within a character is still written */
	if ((j = record_text(a.why)) == NULL)
		abort();
	json_decref(j);
	if (record_write(scratch_fd, &a) == -1 ||
	    record_read(scratch_fd, "x", ID, &b) != 1 ||
	    a.state != b.state || a.size != b.size || a.files != b.files ||
	    a.packed != b.packed || a.installed_at != b.installed_at ||
	    strcmp(a.sha256, b.sha256) != 0)
		abort();
}

static void
try_history(struct store *s, size_t n)
{
	json_t	*list, *again;

	if ((list = history_read(s, n)) == NULL || !json_is_array(list) ||
	    json_array_size(list) > n)
		abort();
	if (history_append(s, json_pack("{s:s}", "x", "y")) == 0) {
		/* whatever stood there: a whole line stands last */
		if ((again = history_read(s, 1)) == NULL ||
		    json_array_size(again) != 1 || strcmp("y",
		    json_string_value(json_object_get(json_array_get(again,
		    0), "x"))) != 0)
			abort();
		json_decref(again);
	}
	json_decref(list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const names[] = { "x.json", "update.json",
	    ID ".json", "history.jsonl" };
	static struct store	 s;
	int			 i;

	if (len < 1)
		return 0;
	scratch_begin();
	s.root = scratch;
	s.rootfd = s.relfd = scratch_fd;
	i = data[0] & 3;
	scratch_put(names[i], data + 1, len - 1);
	switch (i) {
	case 0:
		try_intent();
		break;
	case 1:
		try_journal(&s);
		break;
	case 2:
		try_record();
		break;
	default:
		try_history(&s, data[0] >> 2);
		break;
	}
	(void)unlinkat(scratch_fd, names[i], 0);
	(void)unlinkat(scratch_fd, "update.json.bad", 0);
	(void)unlinkat(scratch_fd, "history.jsonl.1", 0);
	return 0;
}
