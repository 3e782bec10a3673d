/* SPDX-License-Identifier: MIT */
/*
 * pages.c - see pages.h. A fixed number of pages: when all are used, what else is wanted is
 * unreadable.
 */
#include "pages.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096ull
#define PAGES_MAX 4096u /* 16 MB; stacks of 1,000 threads have some 2,000 pages that matter */
#define SLOTS (2 * PAGES_MAX)

struct page {
	uint64_t addr; /* 0: free slot; page 0 is nobody's */
	char *copy;    /* NULL: wanted */
};

struct pages {
	const struct target *target;
	struct page slot[SLOTS];
	char *copy; /* PAGES_MAX pages; untouched ones take no memory */
	uint32_t used, fetched;
	struct page *wanted[PAGES_MAX];
	struct target_read read[PAGES_MAX];
};

struct pages *pages_new(const struct target *t)
{
	struct pages *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->target = t;
	p->copy = malloc(PAGES_MAX * PAGE_BYTES);
	if (p->copy)
		return p;
	free(p);
	return NULL;
}

void pages_free(struct pages *p)
{
	if (!p)
		return;
	free(p->copy);
	free(p);
}

void pages_forget(struct pages *p)
{
	memset(p->slot, 0, sizeof(p->slot));
	p->used = p->fetched = 0;
}

/* NULL: no room for another one. */
static struct page *page_of(struct pages *p, uint64_t addr)
{
	uint64_t page = addr & ~(PAGE_BYTES - 1);

	for (uint32_t i = (uint32_t)((page >> 12) * 0x9e3779b97f4a7c15ull >> 40);; i++) {
		struct page *s = &p->slot[i % SLOTS];

		if (s->addr == page)
			return s;
		if (s->addr != 0)
			continue;
		if (p->used == PAGES_MAX || page == 0)
			return NULL;
		s->addr = page;
		p->wanted[p->used++] = s;
		return s;
	}
}

void pages_want(struct pages *p, uint64_t addr)
{
	page_of(p, addr);
}

enum unwind_memory pages_word(void *arg, uint64_t addr, uint64_t *ret)
{
	struct pages *p = arg;
	const struct page *page = page_of(p, addr);

	*ret = 0;
	/* Words on stacks are aligned, or it is no stack. */
	if (!page || addr % sizeof(*ret) != 0)
		return UNWIND_UNREADABLE;
	if (!page->copy)
		return UNWIND_LATER;
	memcpy(ret, page->copy + addr % PAGE_BYTES, sizeof(*ret));
	return UNWIND_READ;
}

int pages_fetch(struct pages *p)
{
	int n = 0;

	for (uint32_t i = p->fetched; i < p->used; i++) {
		struct page *s = p->wanted[i];

		s->copy = p->copy + i * PAGE_BYTES;
		p->read[n++] = (struct target_read){ s->addr, s->copy, PAGE_BYTES };
	}
	p->fetched = p->used;
	return n ? target_read_many(p->target, p->read, n) : 0;
}
