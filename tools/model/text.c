/* SPDX-License-Identifier: MIT */
/*
 * text.c - names that came with the records: of descriptors, functions, source lines, wait points.
 *
 * An open hash of (what, key). Memory is bounded: what does not fit is counted as lost (GRT_LOSS_MAP) and
 * is shown by its number. Pieces of one name follow each other, so that one buffer puts them together; a
 * piece out of place drops the name it belongs to.
 *
 * The newest name of a key wins, but of descriptors, whose numbers are given out again while a call still
 * holds on to the file that it began with:
 *
 *   look 1   A in read(5), 5 is "old"
 *            another thread closes 5 and opens "new": it is 5 again
 *   look 2   A still in read(5): "old";  B in read(5): "new"
 *
 * The older name stays as long as a thread's call was first seen while it was the newest.
 */
#include <stdlib.h>
#include <string.h>

#include "../syscalls.h"
#include "state.h"

#define TEXT_NAMES_MAX 65536u     /* 10,000 blocked threads, each with a few names of its own */
#define TEXT_HEAP_MAX (16u << 20) /* bytes of all names */
#define TEXT_SLOTS_FIRST 1024u    /* a power of two */

struct text_name {
	struct text_name *older; /* of the same key */
	uint64_t look;           /* came at this one */
	uint64_t needed_at;      /* look */
	uint64_t renamed_ns;     /* took the place of another one; 0: did not */
	uint32_t bytes;
	char text[];
};

struct text_entry {
	uint64_t key;
	uint32_t what;          /* enum grt_text, 0: free */
	struct text_name *name; /* the newest */
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

static size_t bytes_of(uint32_t bytes)
{
	return sizeof(struct text_name) + bytes + 1;
}

/* Returns the next older one. */
static struct text_name *name_free(struct texts *t, struct text_name *name)
{
	struct text_name *older = name->older;

	t->heap -= bytes_of(name->bytes);
	free(name);
	return older;
}

static bool is_of_descriptor(uint32_t what)
{
	return what == GRT_TEXT_FD || what == GRT_TEXT_FD_KIND || what == GRT_TEXT_FD_NOTE;
}

/* The one before stays, if a call may have begun with it; the same file by another name does not. */
static void name_add(struct texts *t, struct text_entry *e, struct text_name *name, bool is_another)
{
	struct text_name *before = e->name;

	if (before && is_of_descriptor(e->what) && is_another && before->look < name->look) {
		name->older = before;
		t->nolder++;
	} else if (before) {
		name->look = is_of_descriptor(e->what) ? before->look : name->look;
		name->older = name_free(t, before);
	}
	e->name = name;
	t->heap += bytes_of(name->bytes);
}

/* rec: the last piece of the name, which is in the buffer. */
static bool text_put(struct model *m, uint32_t what, uint64_t key, uint32_t bytes,
		     const struct grt_rec *rec)
{
	bool is_another = rec->flags & GRT_RF_ANOTHER;
	struct texts *t = &m->texts;
	struct text_name *name;
	struct text_entry *e;

	if (2 * (t->n + 1) > t->cap && !grow(t))
		return false;
	e = slot_find(t, what, key);
	if (e->what && e->name->bytes == bytes && !memcmp(e->name->text, t->buffer, bytes))
		return true;
	if ((!e->what && t->n >= TEXT_NAMES_MAX) || t->heap + bytes_of(bytes) > TEXT_HEAP_MAX)
		return false;
	name = malloc(bytes_of(bytes));
	if (!name)
		return false;
	*name = (struct text_name){ .look = m->looks, .bytes = bytes };
	memcpy(name->text, t->buffer, bytes);
	name->text[bytes] = '\0';
	if (!e->what) {
		*e = (struct text_entry){ .key = key, .what = what };
		t->n++;
	} else {
		name->renamed_ns = is_another ? rec->time_ns : e->name->renamed_ns;
	}
	name_add(t, e, name, is_another);
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
	if (t->partial == bytes && !text_put(m, what, rec->arg[1], bytes, rec))
		m->lost[GRT_LOSS_MAP]++;
}

/* The newest name that came until then. */
static struct text_name *name_at(const struct texts *t, uint32_t what, uint64_t key, uint64_t look)
{
	struct text_name *name = t->n ? slot_find(t, what, key)->name : NULL;

	while (name && is_of_descriptor(what) && name->look > look)
		name = name->older;
	return name;
}

static void need(struct model *m, int fd, uint64_t look)
{
	static const enum grt_text of_fd[] = { GRT_TEXT_FD, GRT_TEXT_FD_KIND, GRT_TEXT_FD_NOTE };

	for (size_t i = 0; i < sizeof(of_fd) / sizeof(of_fd[0]); i++) {
		struct text_name *name = name_at(&m->texts, of_fd[i], (uint64_t)fd, look);

		if (name)
			name->needed_at = m->looks;
	}
}

static void need_names_of(struct model *m, const struct model_thread *t)
{
	const struct syscall_desc *d = syscall_desc(t->inner_nr_1 ? t->inner_nr_1 - 1 : t->nr);
	const uint64_t *arg = t->has_args ? t->args : &t->call_arg;
	int known = t->has_args ? GRT_REC_ARGS : 1;

	for (int i = 0; d && i < known && d->args[i]; i++) {
		char how = syscall_letter(d, i, t->has_args ? arg : NULL);

		if ((how == 'f' || how == 'a') && (int)arg[i] >= 0)
			need(m, (int)arg[i], t->names_look);
	}
}

void texts_forget(struct model *m)
{
	struct texts *t = &m->texts;

	if (!t->nolder)
		return;
	for (size_t i = 0; i < m->now.nthreads; i++)
		need_names_of(m, &m->now.threads[i]);
	for (uint32_t i = 0; i < t->cap; i++) {
		struct text_name **at = t->slot[i].name ? &t->slot[i].name->older : NULL;

		while (at && *at) {
			if ((*at)->needed_at == m->looks) {
				at = &(*at)->older;
				continue;
			}
			*at = name_free(t, *at);
			t->nolder--;
		}
	}
}

void texts_fini(struct texts *t)
{
	for (uint32_t i = 0; i < t->cap; i++)
		while (t->slot[i].name)
			t->slot[i].name = name_free(t, t->slot[i].name);
	free(t->slot);
}

uint64_t text_renamed_ns(const struct model *m, enum grt_text what, uint64_t key, uint64_t look)
{
	const struct text_name *name = name_at(&m->texts, what, key, look);

	return name ? name->renamed_ns : 0;
}

const char *model_text(const struct model *m, enum grt_text what, uint64_t key)
{
	return model_text_at(m, what, key, UINT64_MAX);
}

const char *model_text_at(const struct model *m, enum grt_text what, uint64_t key, uint64_t look)
{
	const struct text_name *name = name_at(&m->texts, what, key, look);

	return name ? name->text : NULL;
}
