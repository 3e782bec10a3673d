/* SPDX-License-Identifier: MIT */
/*
 * gs.h - the Gs: making them, ids, keeping dead ones with their stacks for the next.
 *
 * A struct g lies at the top of its own stack mapping and is never unmapped; allgs lists every one
 * ever made. Ids are given out in batches per P and never reused.
 */
#ifndef GRT_GS_H
#define GRT_GS_H

#include "types.h"

void gs_init(size_t stack_bytes);
/* A dead G with a stack and a new id; NULL: no memory. p may be NULL (a thread without one). */
struct g *g_get(struct p *p);
/* Give a dead G back. */
void g_put(struct p *p, struct g *g);
/* Alive now: made minus ended, over all Ps. Racy. */
u64 gs_alive(void);

#endif
