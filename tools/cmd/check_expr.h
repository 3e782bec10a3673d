/* SPDX-License-Identifier: MIT */
/*
 * check_expr.h - what must not be: "blocked.max>100ms". A quantity, an operator, a bound of the
 * quantity's unit; blanks may stand between them.
 *
 *	expression = quantity operator bound
 *	operator   = ">" | ">=" | "<" | "<=" | "==" | "!="
 *	bound      = a whole number of things; a time, with a unit (0 needs none); a share, with "%"
 *
 * Pure: no I/O and no allocation. The table of quantities is here, too; what they mean is said in
 * check_judge.c, and to the user in gotrace-check(1).
 */
#ifndef GOTRACE_CHECK_EXPR_H
#define GOTRACE_CHECK_EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../view/check.h"

enum check_when {
	CHECK_NOW, /* a level: each look is judged */
	CHECK_SO_FAR, /* never falls: what is above a bound stays so; what is below is judged at the end */
	CHECK_END /* judged at the end only */
};

/* Bits: what it is made from, besides snapshots. */
enum check_needs { CHECK_EVENTS = 1, CHECK_NETPOLL = 2, CHECK_COST = 4 };

/* QUANTITY(id, name, unit, when, percentile or 0, needs) */
#define CHECK_QUANTITIES(QUANTITY)                                                               \
	QUANTITY(THREADS, "threads", COUNT, NOW, 0, 0)                                           \
	QUANTITY(THREADS_NEW, "threads.new", COUNT, SO_FAR, 0, 0)                                \
	QUANTITY(BLOCKED, "blocked", COUNT, NOW, 0, 0)                                           \
	QUANTITY(BLOCKED_MAX, "blocked.max", NS, SO_FAR, 0, CHECK_EVENTS)                        \
	QUANTITY(BLOCKED_COUNT, "blocked.count", COUNT, SO_FAR, 0, CHECK_EVENTS)                 \
	QUANTITY(HOSTAGE, "hostage", COUNT, NOW, 0, 0)                                           \
	QUANTITY(HOSTAGE_MAX, "hostage.max", NS, SO_FAR, 0, 0)                                   \
	QUANTITY(HANDOFF_P50, "handoff.p50", NS, END, 50, CHECK_EVENTS)                          \
	QUANTITY(HANDOFF_P90, "handoff.p90", NS, END, 90, CHECK_EVENTS)                          \
	QUANTITY(HANDOFF_P99, "handoff.p99", NS, END, 99, CHECK_EVENTS)                          \
	QUANTITY(HANDOFF_MAX, "handoff.max", NS, SO_FAR, 0, CHECK_EVENTS)                        \
	QUANTITY(HANDOFF_COUNT, "handoff.count", COUNT, SO_FAR, 0, 0)                            \
	QUANTITY(HANDOFF_IDLED, "handoff.idled", COUNT, SO_FAR, 0, CHECK_EVENTS)                 \
	QUANTITY(HANDOFF_MADE, "handoff.made", COUNT, SO_FAR, 0, CHECK_EVENTS)                   \
	QUANTITY(HANDOFF_NEEDLESS, "handoff.needless", COUNT, SO_FAR, 0, CHECK_EVENTS)           \
	QUANTITY(RUNQ, "runq", COUNT, NOW, 0, 0)                                                 \
	QUANTITY(RUNQ_MAX, "runq.max", COUNT, SO_FAR, 0, 0)                                      \
	QUANTITY(GOROUTINES, "goroutines", COUNT, NOW, 0, 0)                                     \
	QUANTITY(NETPOLL_P50, "netpoll.p50", NS, END, 50, CHECK_EVENTS | CHECK_NETPOLL)          \
	QUANTITY(NETPOLL_P90, "netpoll.p90", NS, END, 90, CHECK_EVENTS | CHECK_NETPOLL)          \
	QUANTITY(NETPOLL_P99, "netpoll.p99", NS, END, 99, CHECK_EVENTS | CHECK_NETPOLL)          \
	QUANTITY(NETPOLL_MAX, "netpoll.max", NS, SO_FAR, 0, CHECK_EVENTS | CHECK_NETPOLL)        \
	QUANTITY(NETPOLL_COUNT, "netpoll.count", COUNT, SO_FAR, 0, CHECK_EVENTS | CHECK_NETPOLL) \
	QUANTITY(NETPOLL_WAITING, "netpoll.waiting", COUNT, NOW, 0, 0)                           \
	QUANTITY(LOST, "lost", COUNT, SO_FAR, 0, 0)                                              \
	QUANTITY(OVERHEAD, "overhead", PPM, END, 0, CHECK_COST)

enum check_id {
#define CHECK_ID(id, name, unit, when, percentile, needs) CHECK_Q_##id,
	CHECK_QUANTITIES(CHECK_ID)
#undef CHECK_ID
		CHECK_QUANTITIES_N
};

struct check_quantity {
	enum check_id id;
	const char *name;
	enum check_unit unit;
	enum check_when when;
	unsigned percentile; /* 0: none */
	unsigned needs;
};
extern const struct check_quantity check_quantities[CHECK_QUANTITIES_N];

enum check_op { CHECK_GT, CHECK_GE, CHECK_LT, CHECK_LE, CHECK_EQ, CHECK_NE, CHECK_OPS };

struct check_expr {
	const char *text; /* the caller's */
	const struct check_quantity *quantity;
	enum check_op op;
	uint64_t bound; /* things, ns, or 1/1000000 */
};

/* Where in the text, and what is wrong there. */
struct check_error {
	size_t at, bytes;
	char why[96], hint[160]; /* hint: empty, if there is none */
};

bool check_expr_parse(struct check_expr *ret, const char *text, struct check_error *error);
const char *check_op_text(enum check_op op);
bool check_op_is_true(enum check_op op, uint64_t value, uint64_t bound);

#endif
