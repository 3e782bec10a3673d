/* SPDX-License-Identifier: MIT */
/*
 * unwind.c - see unwind.h. Rows are kept in a table that grows: a program has some hundred places
 * where its threads sleep, or are called from. They are forgotten when a file was unmapped.
 */
#include "unwind.h"

#include <stdlib.h>
#include <string.h>

#include "unwind_row.h"

#define SLOTS_MIN 1024u      /* a power of two */
#define ROWS_MAX (1u << 20)  /* what a target makes up must not take our memory */
#define FRAME_MAX (1u << 20) /* bytes: a frame pointer that jumps farther is none */

struct slot {
	uint64_t pc; /* 0: free */
	struct unwind_row row;
};

struct unwind {
	struct maps *maps;
	struct slot *slot;
	uint32_t slots, n;
	uint32_t losses; /* of maps, when the rows were compiled */
};

struct unwind *unwind_new(struct maps *maps)
{
	struct unwind *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->maps = maps;
	u->slots = SLOTS_MIN;
	u->slot = calloc(u->slots, sizeof(*u->slot));
	if (u->slot)
		return u;
	free(u);
	return NULL;
}

void unwind_free(struct unwind *u)
{
	if (!u)
		return;
	free(u->slot);
	free(u);
}

static struct slot *slot_of(struct slot *slot, uint32_t slots, uint64_t pc)
{
	uint32_t i = (uint32_t)(pc * 0x9e3779b97f4a7c15ull >> 32);

	for (;; i++) {
		struct slot *s = &slot[i & (slots - 1)];

		if (s->pc == pc || s->pc == 0)
			return s;
	}
}

/* Room for one more. */
static bool grow(struct unwind *u)
{
	uint32_t slots = 2 * u->slots;
	struct slot *slot;

	if (u->n < u->slots / 2)
		return true;
	if (u->n >= ROWS_MAX)
		return false;
	slot = calloc(slots, sizeof(*slot));
	if (!slot)
		return false;
	for (uint32_t i = 0; i < u->slots; i++)
		if (u->slot[i].pc)
			*slot_of(slot, slots, u->slot[i].pc) = u->slot[i];
	free(u->slot);
	u->slot = slot;
	u->slots = slots;
	return true;
}

const struct unwind_row *unwind_row_of(struct unwind *u, uint64_t pc)
{
	static const struct unwind_row none;
	struct slot *s;

	if (u->losses != maps_losses(u->maps)) {
		u->losses = maps_losses(u->maps);
		memset(u->slot, 0, u->slots * sizeof(*u->slot));
		u->n = 0;
	}
	if (pc == 0 || !grow(u))
		return &none;
	s = slot_of(u->slot, u->slots, pc);
	if (s->pc == 0) {
		unwind_row_compile(maps_open(u->maps, pc), pc, &s->row);
		s->pc = pc;
		u->n++;
	}
	return &s->row;
}

static bool is_known(const struct unwind_state *s, unsigned int reg)
{
	return s->known >> reg & 1;
}

/* One value of the caller. *ret_known false: there is none. */
static enum unwind_memory rule_apply(const struct unwind_rule *r, const struct unwind_state *s,
				     unsigned int self, uint64_t cfa, unwind_read_fn read,
				     void *arg, uint64_t *ret, bool *ret_known)
{
	enum unwind_memory m;

	*ret_known = true;
	switch ((enum unwind_how)r->how) {
	case UNWIND_SAME:
		*ret = s->reg[self];
		*ret_known = is_known(s, self);
		return UNWIND_READ;
	case UNWIND_CFA_PLUS:
		*ret = cfa + (uint64_t)(int64_t)r->offset;
		return UNWIND_READ;
	case UNWIND_REG_PLUS:
		*ret = s->reg[r->reg] + (uint64_t)(int64_t)r->offset;
		*ret_known = is_known(s, r->reg);
		return UNWIND_READ;
	case UNWIND_AT_CFA:
		m = read(arg, cfa + (uint64_t)(int64_t)r->offset, ret);
		break;
	case UNWIND_AT_REG:
		if (is_known(s, r->reg)) {
			m = read(arg, s->reg[r->reg] + (uint64_t)(int64_t)r->offset, ret);
			break;
		}
		/* fallthrough */
	default:
		*ret_known = false;
		return UNWIND_READ;
	}
	*ret_known = m == UNWIND_READ;
	return m;
}

enum unwind_result unwind_apply(const struct unwind_row *row, struct unwind_state *s,
				unwind_read_fn read, void *arg)
{
	struct unwind_state next = { .is_innermost = row->is_signal };
	uint64_t cfa = 0;
	bool known;

	if (row->rule[UNWIND_PC].how == UNWIND_NOT)
		return UNWIND_END;
	if (rule_apply(&row->cfa, s, UNWIND_RSP, 0, read, arg, &cfa, &known) == UNWIND_LATER)
		return UNWIND_MEMORY;
	if (!known)
		return UNWIND_LOST;
	for (unsigned int i = 0; i < UNWIND_REGS; i++) {
		if (rule_apply(&row->rule[i], s, i, cfa, read, arg, &next.reg[i], &known) ==
		    UNWIND_LATER)
			return UNWIND_MEMORY;
		next.known |= (uint32_t)known << i;
	}
	if (!is_known(&next, UNWIND_PC) || !is_known(&next, UNWIND_RSP))
		return UNWIND_LOST;
	/* A thread's first function returns to nowhere. */
	if (next.reg[UNWIND_PC] == 0)
		return UNWIND_END;
	if (next.reg[UNWIND_PC] == s->reg[UNWIND_PC] && next.reg[UNWIND_RSP] == s->reg[UNWIND_RSP])
		return UNWIND_LOST;
	*s = next;
	return UNWIND_STEPPED;
}

/* Without tables: what rbp points to, if it can be a frame and leads to code. */
static enum unwind_result guess(struct unwind *u, struct unwind_state *s, unwind_read_fn read,
				void *arg)
{
	uint64_t fp = s->reg[UNWIND_RBP], sp = s->reg[UNWIND_RSP], up, pc;
	enum unwind_memory a, b;

	if (!is_known(s, UNWIND_RBP) || fp < sp || fp - sp > FRAME_MAX || fp % 8 != 0)
		return UNWIND_LOST;
	a = read(arg, fp, &up);
	b = read(arg, fp + 8, &pc);
	if (a == UNWIND_LATER || b == UNWIND_LATER)
		return UNWIND_MEMORY;
	if (a != UNWIND_READ || b != UNWIND_READ || pc == 0 || !maps_find(u->maps, pc - 1))
		return UNWIND_LOST;
	*s = (struct unwind_state){ .known = 1u << UNWIND_RBP | 1u << UNWIND_RSP |
					     1u << UNWIND_PC };
	s->reg[UNWIND_RBP] = up;
	s->reg[UNWIND_RSP] = fp + 16;
	s->reg[UNWIND_PC] = pc;
	return UNWIND_GUESSED;
}

enum unwind_result unwind_step(struct unwind *u, struct unwind_state *s, unwind_read_fn read,
			       void *arg)
{
	/* A call may be the last instruction of its function. */
	const struct unwind_row *row = unwind_row_of(u, s->reg[UNWIND_PC] - !s->is_innermost);

	return row->is_there ? unwind_apply(row, s, read, arg) : guess(u, s, read, arg);
}
