/* SPDX-License-Identifier: MIT */
/*
 * pprof.c - see pprof.h. The format is perftools.profiles.Profile in protocol buffers' wire
 * format: a message is a row of fields, a field is its number and type, then a varint, or a length
 * and bytes. Message types here are few and fixed, so the fields are written as they are. Numbers
 * in capitals are those of profile.proto.
 */
#include "pprof.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "view.h"

#define GZIP_WINDOW (15 + 16) /* largest window, with gzip's header */
#define LOCATIONS_FIRST 256u

/* Bytes that grow. Once there is no memory, nothing more is added. */
struct bytes {
	uint8_t *data;
	size_t n, cap;
	bool has_failed;
};

struct location {
	uint64_t pc;
	uint64_t id;
};

struct profile {
	const struct model *model;
	struct bytes out;
	uint64_t strings, locations;
	struct location *slot; /* of pcs that have one; pc 0: free */
	size_t cap, used;
};

static void put_byte(struct bytes *b, uint8_t v)
{
	if (b->n == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : 4096;
		uint8_t *bigger = b->has_failed ? NULL : realloc(b->data, cap);

		if (!bigger) {
			b->has_failed = true;
			return;
		}
		b->data = bigger;
		b->cap = cap;
	}
	b->data[b->n++] = v;
}

static void put_varint(struct bytes *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		put_byte(b, (uint8_t)(v | 0x80));
	put_byte(b, (uint8_t)v);
}

static void put_number(struct bytes *b, unsigned int field, uint64_t v)
{
	put_varint(b, field << 3);
	put_varint(b, v);
}

static void put_block(struct bytes *b, unsigned int field, const void *data, size_t n)
{
	const uint8_t *byte = data;

	put_varint(b, field << 3 | 2);
	put_varint(b, n);
	for (size_t i = 0; i < n; i++)
		put_byte(b, byte[i]);
}

/* Adds a message to its parent and gives its memory back. */
static void put_message(struct bytes *b, unsigned int field, struct bytes *message)
{
	put_block(b, field, message->data, message->n);
	b->has_failed |= message->has_failed;
	free(message->data);
	*message = (struct bytes){ 0 };
}

/* The table's first entry must be the empty one. */
static uint64_t string_add(struct profile *p, const char *text, size_t n)
{
	enum { STRING_TABLE = 6 };

	put_block(&p->out, STRING_TABLE, text, n);
	return p->strings++;
}

static void put_value_type(struct profile *p, const char *type)
{
	enum { SAMPLE_TYPE = 1, TYPE = 1, UNIT = 2 };
	struct bytes message = { 0 };

	put_number(&message, TYPE, string_add(p, type, strlen(type)));
	put_number(&message, UNIT, string_add(p, "count", 5));
	put_message(&p->out, SAMPLE_TYPE, &message);
}

/* It says that all frames have their names: nobody shall look for the binary. */
static void put_mapping(struct profile *p, const char *comm)
{
	enum { MAPPING = 3, ID = 1, LIMIT = 3, FILENAME = 5, HAS_FUNCTIONS = 7, HAS_INLINES = 10 };
	struct bytes message = { 0 };

	put_number(&message, ID, 1);
	put_number(&message, LIMIT, UINT64_MAX >> 1);
	put_number(&message, FILENAME, string_add(p, comm, strlen(comm)));
	for (unsigned int has = HAS_FUNCTIONS; has <= HAS_INLINES; has++)
		put_number(&message, has, 1);
	put_message(&p->out, MAPPING, &message);
}

/* A function and a place in it, "files.c:41" or NULL. Returns the location's id. */
static uint64_t location_add(struct profile *p, uint64_t pc, const char *name, const char *line)
{
	enum { LOCATION = 4, ID = 1, MAPPING_ID = 2, ADDRESS = 3, LINE = 4 };
	enum { FUNCTION = 5, NAME = 2, SYSTEM_NAME = 3, FILENAME = 4 };
	enum { FUNCTION_ID = 1, LINE_NUMBER = 2 };
	const char *colon = line ? strrchr(line, ':') : NULL;
	uint64_t id = ++p->locations, name_at = string_add(p, name, strlen(name));
	struct bytes message = { 0 }, at = { 0 };

	put_number(&message, ID, id);
	put_number(&message, NAME, name_at);
	put_number(&message, SYSTEM_NAME, name_at);
	if (colon)
		put_number(&message, FILENAME, string_add(p, line, (size_t)(colon - line)));
	put_message(&p->out, FUNCTION, &message);

	put_number(&message, ID, id);
	put_number(&message, MAPPING_ID, 1);
	put_number(&message, ADDRESS, pc);
	put_number(&at, FUNCTION_ID, id);
	if (colon)
		put_number(&at, LINE_NUMBER, strtoull(colon + 1, NULL, 10));
	put_message(&message, LINE, &at);
	put_message(&p->out, LOCATION, &message);
	return id;
}

static struct location *slot_of(const struct location *slot, size_t cap, uint64_t pc)
{
	size_t i = (size_t)(pc * 0x9e3779b97f4a7c15ull >> 32) & (cap - 1);

	while (slot[i].pc && slot[i].pc != pc)
		i = (i + 1) & (cap - 1);
	return (struct location *)&slot[i];
}

static bool reserve(struct profile *p)
{
	size_t cap = p->cap ? 2 * p->cap : LOCATIONS_FIRST;
	struct location *bigger;

	if (2 * (p->used + 1) <= p->cap)
		return true;
	bigger = calloc(cap, sizeof(*bigger));
	if (!bigger)
		return false;
	for (size_t i = 0; i < p->cap; i++)
		if (p->slot[i].pc)
			*slot_of(bigger, cap, p->slot[i].pc) = p->slot[i];
	free(p->slot);
	p->slot = bigger;
	p->cap = cap;
	return true;
}

static uint64_t location_of_pc(struct profile *p, uint64_t pc)
{
	const char *name = model_text(p->model, GRT_TEXT_FUNCTION, pc);
	char address[24];
	struct location *l;

	snprintf(address, sizeof(address), "0x%llx", (unsigned long long)pc);
	if (!reserve(p)) {
		p->out.has_failed = true;
		return 0;
	}
	l = slot_of(p->slot, p->cap, pc);
	if (l->pc)
		return l->id;
	l->pc = pc;
	l->id = location_add(p, pc, name ? name : address, model_text(p->model, GRT_TEXT_LINE, pc));
	p->used++;
	return l->id;
}

static void put_sample(struct profile *p, const char *leaf, const uint64_t *pcs, size_t n,
		       uint64_t now, uint64_t made)
{
	enum { SAMPLE = 2, LOCATION_ID = 1, VALUE = 2 };
	struct bytes message = { 0 };

	put_number(&message, LOCATION_ID, location_add(p, 0, leaf, NULL));
	for (size_t i = 0; i < n; i++)
		if (pcs[i])
			put_number(&message, LOCATION_ID, location_of_pc(p, pcs[i]));
	put_number(&message, VALUE, now);
	put_number(&message, VALUE, made);
	put_message(&p->out, SAMPLE, &message);
}

/*
 * Shares as whole threads: the sum that has been put into whole threads so far never differs from
 * the exact one by more than a half, and both end at the same number.
 */
static void put_causes(struct profile *p)
{
	const struct model_cause *c;
	size_t n = model_causes(p->model, &c);
	double exact = 0;
	uint64_t whole = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t made;

		exact += c[i].threads;
		made = (uint64_t)(exact + 0.5) - whole;
		whole += made;
		if (made || c[i].now)
			put_sample(p, c[i].call, c[i].pcs, c[i].npcs, c[i].now, made);
	}
}

static void put_others(struct profile *p)
{
	const struct model_snap *s = model_snap(p->model);

	for (int i = 0; i < GRT_MS_COUNT; i++)
		if (s->count[i] && i != GRT_MS_blocked && i != GRT_MS_locked)
			put_sample(p, view_state_word((enum grt_mstate)i), NULL, 0, s->count[i], 0);
}

static bool deflate_to(FILE *out, const struct bytes *b)
{
	z_stream z = { .next_in = b->data, .avail_in = (uInt)b->n };
	uint8_t piece[16384];
	int rc;

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	do {
		z.next_out = piece;
		z.avail_out = sizeof(piece);
		rc = deflate(&z, Z_FINISH);
		fwrite(piece, 1, sizeof(piece) - z.avail_out, out);
	} while (rc == Z_OK);
	deflateEnd(&z);
	return rc == Z_STREAM_END && fflush(out) == 0 && !ferror(out);
}

bool pprof_write(FILE *out, const struct model *m, const char *comm)
{
	enum { DURATION_NANOS = 10, DEFAULT_SAMPLE_TYPE = 14 };
	struct profile p = { .model = m };
	uint64_t since_ns = model_growth(m)->since_ns, now_ns = model_snap(m)->time_ns;
	bool ok;

	string_add(&p, "", 0);
	put_value_type(&p, "threads");
	put_value_type(&p, "made");
	put_mapping(&p, comm);
	put_causes(&p);
	put_others(&p);
	if (now_ns > since_ns)
		put_number(&p.out, DURATION_NANOS, now_ns - since_ns);
	put_number(&p.out, DEFAULT_SAMPLE_TYPE, 1);
	ok = !p.out.has_failed && deflate_to(out, &p.out);
	free(p.out.data);
	free(p.slot);
	return ok;
}
