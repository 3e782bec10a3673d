/* SPDX-License-Identifier: MIT */
/*
 * pages.h - the target's memory by pages, read in bulk when many have been asked for: stacks of a
 * thousand threads take a few reads, not some for each thread. What was read stays until
 * pages_forget.
 */
#ifndef GOTRACE_PAGES_H
#define GOTRACE_PAGES_H

#include "target.h"
#include "unwind.h"

struct pages;

struct pages *pages_new(const struct target *t); /* NULL: no memory */
void pages_free(struct pages *p);
void pages_forget(struct pages *p);
/* The page of an address will be needed. */
void pages_want(struct pages *p, uint64_t addr);
/* A word; UNWIND_LATER: its page was not read yet, is wanted now. An unwind_read_fn. */
enum unwind_memory pages_word(void *p, uint64_t addr, uint64_t *ret);
/* Read what is wanted. How many pages came; -errno. */
int pages_fetch(struct pages *p);

#endif
