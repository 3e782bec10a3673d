/* SPDX-License-Identifier: MIT */
/*
 * unwind.h - one step up a stack, from registers and memory that somebody else supplies. The unwind
 * tables of a file are asked once for each pc (libdw); what they say is compiled into a row that is
 * interpreted for all further threads, since asking for each frame of 10,000 threads takes seconds.
 */
#ifndef GOTRACE_UNWIND_H
#define GOTRACE_UNWIND_H

#include "maps.h"

enum unwind_reg {
	UNWIND_RBX,
	UNWIND_RBP,
	UNWIND_R12,
	UNWIND_R13,
	UNWIND_R14,
	UNWIND_R15,
	UNWIND_SAVED, /* so many survive a call */
	UNWIND_RSP = UNWIND_SAVED,
	UNWIND_PC,
	UNWIND_REGS
};

struct unwind_state {
	uint64_t reg[UNWIND_REGS];
	uint32_t known;    /* bit r: reg[r] holds */
	bool is_innermost; /* pc is where it stands; else where a call returns to */
};

enum unwind_result {
	UNWIND_STEPPED, /* by the tables */
	UNWIND_GUESSED, /* by the frame pointer: no tables there */
	UNWIND_END,     /* this was the outermost frame, by the tables */
	UNWIND_LOST,    /* it goes on, but nobody knows where */
	UNWIND_MEMORY,  /* nothing happened: memory was not at hand yet */
};

/* What memory holds. */
enum unwind_memory { UNWIND_READ, UNWIND_UNREADABLE, UNWIND_LATER };
typedef enum unwind_memory (*unwind_read_fn)(void *arg, uint64_t addr, uint64_t *ret);

/* How to find one value of the caller. */
enum unwind_how {
	UNWIND_SAME,     /* as it is */
	UNWIND_NOT,      /* lost; of the pc: outermost frame */
	UNWIND_AT_CFA,   /* saved at CFA + offset */
	UNWIND_CFA_PLUS, /* is CFA + offset */
	UNWIND_AT_REG,   /* saved at a register + offset */
	UNWIND_REG_PLUS, /* is a register + offset */
};
struct unwind_rule {
	uint8_t how, reg;
	int32_t offset;
};
struct unwind_row {
	bool is_there;  /* the file says something about this pc */
	bool is_signal; /* the caller did not call: it was interrupted */
	struct unwind_rule cfa, rule[UNWIND_REGS];
};

struct unwind;

struct unwind *unwind_new(struct maps *maps); /* NULL: no memory. maps is borrowed */
void unwind_free(struct unwind *u);
/* The row of a pc, by its file. */
const struct unwind_row *unwind_row_of(struct unwind *u, uint64_t pc);
/* The pure part. */
enum unwind_result unwind_apply(const struct unwind_row *row, struct unwind_state *s,
				unwind_read_fn read, void *arg);
/* To the caller's frame, in place. */
enum unwind_result unwind_step(struct unwind *u, struct unwind_state *s, unwind_read_fn read,
			       void *arg);

#endif
