/* SPDX-License-Identifier: MIT */
/*
 * stack_walk.c - see stack_walk.h.
 *
 * A thread in a call of the runtime has two beginnings: its registers, and what the runtime saved
 * when the call began. The first shows everything and is taken; where it loses its way, or ends
 * without having met the second (a foreign call sleeps on another stack), the second goes on.
 * Without the iterator only pc and sp are known: rows that need more lead to the second beginning
 * at once.
 */
#include "stack_walk.h"

#include <stdlib.h>
#include <string.h>

#include "../target/pages.h"
#include "../target/unwind.h"

#define CHUNK 1024u              /* threads that walk at once: their pages fit in pages.c */
#define WAVES (2 * STACK_FRAMES) /* each reads what was missing */
#define STACK_BYTES (8u << 20)   /* a step that goes farther up has left its stack */

struct walker {
	struct unwind_state state;
	bool is_done;
	bool at_call; /* goes on at the call, and its frame pointer was not read yet */
	bool has_used_call;
};

struct stack_walk {
	struct pages *pages;
	struct unwind *unwind;
	struct walker walker[CHUNK];
};

struct stack_walk *stack_walk_new(const struct target *t, struct maps *maps)
{
	struct stack_walk *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->pages = pages_new(t);
	w->unwind = unwind_new(maps);
	if (w->pages && w->unwind)
		return w;
	stack_walk_free(w);
	return NULL;
}

void stack_walk_free(struct stack_walk *w)
{
	if (!w)
		return;
	pages_free(w->pages);
	unwind_free(w->unwind);
	free(w);
}

static void set(struct unwind_state *s, enum unwind_reg reg, uint64_t v)
{
	s->reg[reg] = v;
	s->known |= 1u << reg;
}

static void state_of(struct unwind_state *s, const struct thread_row *t)
{
	*s = (struct unwind_state){ .is_innermost = true };
	set(s, UNWIND_PC, t->ip);
	set(s, UNWIND_RSP, t->sp);
	if (!t->has_registers)
		return;
	set(s, UNWIND_RBP, t->bp);
	set(s, UNWIND_RBX, t->bx);
	set(s, UNWIND_R12, t->r12);
	set(s, UNWIND_R13, t->r13);
	set(s, UNWIND_R14, t->r14);
	set(s, UNWIND_R15, t->r15);
}

/* False: no room for it. */
static bool push(struct stack *s, const struct stack_want *want, uint64_t pc, uint8_t flags)
{
	if (s->n == STACK_FRAMES) {
		s->flags[s->n - 1] |= GRT_FRAME_CUT;
		return false;
	}
	if (want->is_in_call && s->call_at == UINT8_MAX && pc == want->call_pc)
		s->call_at = s->n;
	s->flags[s->n] = flags;
	s->pc[s->n++] = pc;
	return true;
}

static bool may_use_call(const struct walker *w, const struct stack_want *want,
			 const struct stack *s)
{
	return want->is_in_call && want->call_pc && !w->has_used_call && s->call_at == UINT8_MAX;
}

/* The frame that made the call: the callee's frame pointer shows its rbp, as compiled in libgrt. */
static enum unwind_memory go_to_call(struct stack_walk *w, struct walker *k,
				     const struct stack_want *want, struct stack *s)
{
	uint64_t rbp;
	enum unwind_memory m = pages_word(w->pages, want->call_fp, &rbp);

	k->at_call = m == UNWIND_LATER;
	if (m == UNWIND_LATER)
		return m;
	k->has_used_call = true;
	k->state = (struct unwind_state){ 0 };
	set(&k->state, UNWIND_PC, want->call_pc);
	set(&k->state, UNWIND_RSP, want->call_sp);
	if (m == UNWIND_READ)
		set(&k->state, UNWIND_RBP, rbp);
	k->is_done = !push(s, want, want->call_pc, 0);
	return UNWIND_READ;
}

static void end(struct walker *k, const struct stack_want *want, struct stack *s, bool is_cut)
{
	if (may_use_call(k, want, s)) {
		k->at_call = true;
		return;
	}
	k->is_done = true;
	if (is_cut && s->n)
		s->flags[s->n - 1] |= GRT_FRAME_CUT;
}

/* One step; false: it waits for memory. */
static bool step(struct stack_walk *w, struct walker *k, const struct stack_want *want,
		 struct stack *s)
{
	uint64_t sp = k->state.reg[UNWIND_RSP], up;
	enum unwind_result r;

	if (k->at_call)
		return go_to_call(w, k, want, s) != UNWIND_LATER;
	r = unwind_step(w->unwind, &k->state, pages_word, w->pages);
	if (r == UNWIND_MEMORY)
		return false;
	if (r == UNWIND_END || r == UNWIND_LOST) {
		end(k, want, s, r == UNWIND_LOST);
		return true;
	}
	up = k->state.reg[UNWIND_RSP];
	if (s->jump_at == UINT8_MAX && (up < sp || up - sp > STACK_BYTES))
		s->jump_at = s->n - 1;
	k->is_done = !push(s, want, k->state.reg[UNWIND_PC],
			   r == UNWIND_GUESSED ? GRT_FRAME_GUESSED : 0);
	return true;
}

static void begin(struct stack_walk *w, struct walker *k, const struct stack_want *want,
		  struct stack *s)
{
	memset(k, 0, sizeof(*k));
	memset(s, 0, sizeof(*s));
	s->call_at = s->jump_at = UINT8_MAX;
	if (want->is_running || !want->t->ip || !want->t->sp) {
		end(k, want, s, false);
		return;
	}
	state_of(&k->state, want->t);
	push(s, want, want->t->ip, 0);
	pages_want(w->pages, want->t->sp);
}

static void walk_chunk(struct stack_walk *w, const struct stack_want *want, struct stack *ret,
		       uint32_t n)
{
	pages_forget(w->pages);
	for (uint32_t i = 0; i < n; i++)
		begin(w, &w->walker[i], &want[i], &ret[i]);
	for (int wave = 0; wave < WAVES; wave++) {
		uint32_t waiting = 0;

		if (pages_fetch(w->pages) < 0)
			break;
		for (uint32_t i = 0; i < n; i++) {
			struct walker *k = &w->walker[i];

			while (!k->is_done && step(w, k, &want[i], &ret[i]))
				;
			waiting += !k->is_done;
		}
		if (waiting == 0)
			break;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct stack *s = &ret[i];

		if (!w->walker[i].is_done && s->n)
			s->flags[s->n - 1] |= GRT_FRAME_CUT;
		s->call_at = s->call_at == UINT8_MAX ? s->n : s->call_at;
		s->jump_at = s->jump_at == UINT8_MAX ? s->n : s->jump_at;
	}
}

void stack_walk_all(struct stack_walk *w, const struct stack_want *want, struct stack *ret,
		    uint32_t n)
{
	for (uint32_t i = 0; i < n; i += CHUNK)
		walk_chunk(w, want + i, ret + i, n - i < CHUNK ? n - i : CHUNK);
}
