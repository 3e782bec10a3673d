/* SPDX-License-Identifier: MIT */
/*
 * calls.h - synthetic records of calls that lose their P, of one P and a model that is seeing it.
 */
#ifndef TEST_CALLS_H
#define TEST_CALLS_H

#include "records.h"

#define T0 (10 * SEC_NS)
#define US 1000ull

static const struct counts no_counts;

static inline int model_setup(void **state)
{
	struct model *m = model_new();

	if (!m)
		return -1;
	rec_snapshot(m, T0 - SEC_NS, 2, 0, NULL, 0, &no_counts);
	model_tick(m, T0 - SEC_NS);
	*state = m;
	return 0;
}

static inline int model_teardown(void **state)
{
	model_free(*state);
	return 0;
}

static inline const struct model_handoff_sum *row_of(const struct model *m, int32_t nr,
						     enum model_by by)
{
	const struct model_handoff_sum *rows;
	size_t n = model_handoff_sums(m, &rows);

	for (size_t i = 0; i < n; i++)
		if (rows[i].nr == nr && rows[i].by == by)
			return &rows[i];
	fail_msg("no row of call %d by %d", nr, by);
	return NULL;
}

/* A hot probe. */
static inline void enter(struct model *m, uint64_t t, uint64_t g, uint64_t of_m)
{
	rec_apply(m, t, GRT_K_entersyscall, g, of_m, 0, SYS_read, 0, 0);
}

static inline void asleep(struct model *m, uint64_t t, uint64_t of_m, uint64_t since_ns)
{
	rec_apply(m, t, GRT_K_SWITCH_OUT, of_m, GRT_CALL_IN, SYS_read, 7, since_ns, 0);
}

static inline void take(struct model *m, uint64_t t, uint64_t g, uint64_t of_m, uint64_t in_call_ns,
			uint64_t by, int32_t nr)
{
	rec_apply(m, t, GRT_K_retake, 0, of_m, g, in_call_ns, by, (uint64_t)(int64_t)nr);
}

static inline void block(struct model *m, uint64_t t, uint64_t g, uint64_t of_m, int32_t nr)
{
	rec_apply(m, t, GRT_K_entersyscallblock, g, of_m, 0, (uint64_t)(int64_t)nr, 0, 0);
}

static inline void back(struct model *m, uint64_t t, uint64_t g, uint64_t of_m, uint64_t how,
			uint64_t queued_ns)
{
	rec_apply(m, t, GRT_K_exitsyscall_slow, g, of_m, 0, how, queued_ns, 0);
}

#endif
