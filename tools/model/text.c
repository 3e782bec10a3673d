/* SPDX-License-Identifier: MIT */
/*
 * text.c - names that came with the records: of descriptors, functions, source lines, wait points.
 *
 * An open hash of (what, key); the newest name of a key wins. Memory is bounded: what does not fit is
 * counted as lost (GRT_LOSS_MAP) and is shown by its number. Pieces of one name follow each other, so
 * that one buffer puts them together; a piece out of place drops the name it belongs to.
 */
#include <stdlib.h>
#include <string.h>

#include "state.h"

#define TEXT_NAMES_MAX 65536u     /* 10,000 blocked threads, each with a few names of its own */
#define TEXT_HEAP_MAX (16u << 20) /* bytes of all names */
#define TEXT_SLOTS_FIRST 1024u    /* a power of two */

struct text_entry {
	uint64_t key;
	uint32_t what; /* enum grt_text, 0: free */
	uint32_t bytes;
	char *text;
};

static uint64_t hash_of(uint32_t what, uint64_t key)
{
	uint64_t h = (key ^ (uint64_t)what << 56) * 0x9e3779b97f4a7c15ull;

	return h ^ h >> 32;
}

/* The entry, or the free place where it belongs. The table is never full. */
static struct text_entry *slot_find(const struct texts *t, uint32_t what, uint64_t key)
{
	for (uint64_t i = hash_of(what, key);; i++) {
		struct text_entry *e = &t->slot[i & (t->cap - 1)];

		if (e->what == 0 || (e->what == what && e->key == key))
			return e;
	}
}

static bool grow(struct texts *t)
{
	struct texts bigger = { .cap = t->cap ? t->cap * 2 : TEXT_SLOTS_FIRST };

	bigger.slot = calloc(bigger.cap, sizeof(*bigger.slot));
	if (!bigger.slot)
		return false;
	for (uint32_t i = 0; i < t->cap; i++)
		if (t->slot[i].what)
			*slot_find(&bigger, t->slot[i].what, t->slot[i].key) = t->slot[i];
	free(t->slot);
	t->slot = bigger.slot;
	t->cap = bigger.cap;
	return true;
}

static bool text_put(struct texts *t, uint32_t what, uint64_t key, const char *text, uint32_t bytes)
{
	struct text_entry *e;
	char *copy;

	if (2 * (t->n + 1) > t->cap && !grow(t))
		return false;
	e = slot_find(t, what, key);
	if (e->what && e->bytes == bytes && !memcmp(e->text, text, bytes))
		return true;
	if ((!e->what && t->n >= TEXT_NAMES_MAX) || t->heap + bytes + 1 > TEXT_HEAP_MAX)
		return false;
	copy = malloc(bytes + 1);
	if (!copy)
		return false;
	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	if (e->what)
		t->heap -= e->bytes + 1;
	else
		t->n++;
	free(e->text);
	*e = (struct text_entry){ .key = key, .what = what, .bytes = bytes, .text = copy };
	t->heap += bytes + 1;
	return true;
}

void text_apply(struct model *m, const struct grt_rec *rec)
{
	struct texts *t = &m->texts;
	uint32_t what = rec->arg[0] & 0xffff, bytes = (uint32_t)(rec->arg[0] >> 16) & 0xffff;
	uint32_t offset = (uint32_t)(rec->arg[0] >> 32), n = bytes - offset;

	if (what == 0 || bytes > GRT_TEXT_BYTES_MAX || offset > bytes)
		return;
	if (offset == 0)
		t->partial = 0;
	else if (offset != t->partial || what != t->partial_what || rec->arg[1] != t->partial_key)
		return;
	if (n > GRT_TEXT_PIECE)
		n = GRT_TEXT_PIECE;
	memcpy(t->buffer + offset, &rec->arg[2], n);
	t->partial = offset + n;
	t->partial_what = what;
	t->partial_key = rec->arg[1];
	if (t->partial == bytes && !text_put(t, what, rec->arg[1], t->buffer, bytes))
		m->lost[GRT_LOSS_MAP]++;
}

void texts_fini(struct texts *t)
{
	for (uint32_t i = 0; i < t->cap; i++)
		free(t->slot[i].text);
	free(t->slot);
}

const char *model_text(const struct model *m, enum grt_text what, uint64_t key)
{
	const struct text_entry *e;

	if (m->texts.n == 0)
		return NULL;
	e = slot_find(&m->texts, what, key);
	return e->what ? e->text : NULL;
}
