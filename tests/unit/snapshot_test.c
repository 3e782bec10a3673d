/* SPDX-License-Identifier: MIT */
/* snapshot_test.c - one thread's row, made of the runtime's view and the kernel's. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/mstate.h"
#include "../../tools/source/snapshot_rows.h"

#define SECOND 1000000000ull
#define NOW (100 * SECOND)
#define TID 4711
#define NR_READ 0
#define NR_FUTEX 202
#define IN_CALL (9ull << GRT_CALL_TICK_SHIFT | GRT_CALL_IN)
#define TAKEN(ns) ((ns) << GRT_TAKE_SHIFT | GRT_TAKE_TAKEN)

static struct grt_rec rec;

static enum grt_mstate state(void)
{
	return (enum grt_mstate)(rec.arg[2] & 0xff);
}

static bool has(uint32_t attr)
{
	return (rec.arg[2] >> 16 & attr) != 0;
}

static int32_t nr(void)
{
	return (int32_t)(rec.arg[2] >> 32);
}

/* M 3 runs G 42 on P 1. */
static struct m_view given_m(void)
{
	return (struct m_view){ .id = 3,
				.tid = TID,
				.status = GRT_M_RUNNING,
				.p = 1,
				.p_addr = 0x1000,
				.g = 42,
				.g_addr = 0x2000,
				.nr = NR_READ,
				.call_arg = 7 };
}

static struct thread_row given_thread(char letter)
{
	return (struct thread_row){ .tid = TID, .ns_tid = TID, .state = letter, .nr = -1 };
}

static struct thread_row given_sleep_in(int64_t call, uint64_t since_ns)
{
	struct thread_row t = given_thread('S');

	t.nr = call;
	t.has_args = true;
	t.args[0] = 7;
	t.asleep_since_ns = since_ns;
	return t;
}

static void test_thread_without_m_is_foreign(void **unused)
{
	struct thread_row t = given_sleep_in(NR_FUTEX, NOW - SECOND);

	(void)unused;
	snapshot_row(&rec, NULL, &t, false);

	assert_int_equal(rec.kind, GRT_K_SNAP_M);
	assert_int_equal(rec.tid, TID);
	assert_int_equal(state(), GRT_MS_foreign);
	assert_int_equal(rec.arg[0], 0);
	assert_int_equal(nr(), NR_FUTEX);
	assert_true(has(GRT_MA_KERNEL_NR) && has(GRT_MA_HAS_CALL));
}

static void test_call_with_its_p_is_syscall_and_without_is_blocked(void **unused)
{
	struct thread_row t = given_sleep_in(NR_READ, NOW - SECOND);
	struct m_view m = given_m();

	(void)unused;
	m.call = IN_CALL;
	snapshot_row(&rec, &m, &t, false);
	assert_int_equal(state(), GRT_MS_syscall);
	assert_int_equal(rec.arg[0], 4 | 2ull << 32);
	assert_int_equal(rec.arg[1], 42);
	assert_int_equal(rec.arg[5], 7);

	m.take = TAKEN(NOW - SECOND + 20000);
	snapshot_row(&rec, &m, &t, false);
	assert_int_equal(state(), GRT_MS_blocked);
	assert_int_equal(rec.arg[0], 4);
	assert_int_equal(nr(), NR_READ);
	assert_true(has(GRT_MA_HAS_CALL));
	assert_false(has(GRT_MA_KERNEL_NR));
}

static void test_claim_that_stands_has_not_taken_the_p(void **unused)
{
	struct thread_row t = given_sleep_in(NR_READ, NOW - SECOND);
	struct m_view m = given_m();

	(void)unused;
	m.call = IN_CALL;
	m.take = 5ull << GRT_TAKE_SHIFT | GRT_TAKE_CLAIM;

	snapshot_row(&rec, &m, &t, false);

	assert_int_equal(state(), GRT_MS_syscall);
}

static void test_one_sleep_says_when_the_call_began_to_wait(void **unused)
{
	struct thread_row t = given_sleep_in(NR_READ, NOW - 5 * SECOND);
	struct m_view m = given_m();

	(void)unused;
	m.call = IN_CALL;
	m.take = TAKEN(NOW - 4 * SECOND);

	snapshot_row(&rec, &m, &t, false);

	assert_int_equal(rec.arg[3], NOW - 5 * SECOND);
	assert_int_equal(rec.arg[4], NOW - 5 * SECOND);
	assert_false(has(GRT_MA_SINCE_AT_LEAST));
}

static void test_later_sleep_or_none_leaves_the_take_as_a_bound(void **unused)
{
	struct thread_row later = given_sleep_in(NR_READ, NOW - SECOND), none = given_thread('R');
	struct m_view m = given_m();

	(void)unused;
	m.call = IN_CALL;
	m.take = TAKEN(NOW - 4 * SECOND);

	snapshot_row(&rec, &m, &later, false);
	assert_int_equal(rec.arg[3], NOW - 4 * SECOND);
	assert_true(has(GRT_MA_SINCE_AT_LEAST));

	/* A long read of /dev/urandom: blocked, and never asleep. */
	snapshot_row(&rec, &m, &none, false);
	assert_int_equal(state(), GRT_MS_blocked);
	assert_int_equal(rec.arg[3], NOW - 4 * SECOND);
	assert_true(has(GRT_MA_SINCE_AT_LEAST));
}

static void test_owner_of_a_p_that_sleeps_is_hostage_with_its_call(void **unused)
{
	struct thread_row t = given_sleep_in(NR_FUTEX, NOW - SECOND);
	struct m_view m = given_m();

	(void)unused;
	snapshot_row(&rec, &m, &t, false);

	assert_int_equal(state(), GRT_MS_hostage);
	assert_int_equal(nr(), NR_FUTEX);
	assert_true(has(GRT_MA_KERNEL_NR));
	assert_int_equal(rec.arg[3], NOW - SECOND);
}

static void test_page_fault_makes_a_hostage_without_a_call(void **unused)
{
	struct thread_row t = given_thread('D');
	struct m_view m = given_m();

	(void)unused;
	snapshot_row(&rec, &m, &t, false);

	assert_int_equal(state(), GRT_MS_hostage);
	assert_int_equal(nr(), GRT_NR_NONE);
	assert_false(has(GRT_MA_HAS_CALL));
}

static void test_torn_row_is_taken_as_on_the_cpu(void **unused)
{
	struct thread_row t = given_sleep_in(NR_FUTEX, NOW - SECOND);
	struct m_view m = given_m();

	(void)unused;
	snapshot_row(&rec, &m, &t, true);

	assert_int_equal(state(), GRT_MS_running);
	assert_int_equal(rec.flags, GRT_RF_TORN);
}

static void test_runnable_off_the_cpu_waits(void **unused)
{
	struct thread_row t = given_thread('R');
	struct m_view m = given_m();

	(void)unused;
	snapshot_row(&rec, &m, &t, false);
	assert_int_equal(state(), GRT_MS_running);
	assert_true(has(GRT_MA_WAITING));

	t.is_on_cpu = true;
	snapshot_row(&rec, &m, &t, false);
	assert_false(has(GRT_MA_WAITING));
}

static void test_arguments_of_another_call_are_not_shown(void **unused)
{
	struct thread_row t = given_sleep_in(NR_FUTEX, NOW - SECOND);
	struct m_view m = given_m();

	(void)unused;
	m.call = IN_CALL;
	m.take = TAKEN(NOW - SECOND);

	snapshot_row(&rec, &m, &t, false);

	assert_int_equal(nr(), NR_READ);
	assert_false(has(GRT_MA_HAS_CALL));
}

static void test_foreign_function_that_sleeps_shows_the_kernels_arguments(void **unused)
{
	struct thread_row t = given_sleep_in(NR_FUTEX, NOW - SECOND);
	struct m_view m = given_m();

	(void)unused;
	m.call = IN_CALL;
	m.take = TAKEN(NOW - SECOND);
	m.nr = GRT_NR_FOREIGN;
	m.call_arg = 0x401000;

	snapshot_row(&rec, &m, &t, false);

	assert_int_equal(state(), GRT_MS_blocked);
	assert_int_equal(nr(), GRT_NR_FOREIGN);
	assert_int_equal(rec.arg[5], 0x401000);
	assert_true(has(GRT_MA_HAS_CALL));
}

static void test_parked_ms_say_so_themselves(void **unused)
{
	static const struct {
		uint32_t status;
		enum grt_mstate want;
	} row[] = {
		{ GRT_M_IDLE, GRT_MS_idle },         { GRT_M_POLLING, GRT_MS_polling },
		{ GRT_M_LOCKED, GRT_MS_locked },     { GRT_M_SPINNING, GRT_MS_spinning },
		{ GRT_M_STARTING, GRT_MS_spinning }, { GRT_M_SYSTEM, GRT_MS_system },
	};
	struct thread_row t = given_sleep_in(NR_FUTEX, NOW - SECOND);

	(void)unused;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct m_view m = {
			.id = 3, .tid = TID, .p = -1, .status_since_ns = NOW - 2 * SECOND
		};
		bool is_parked = row[i].want == GRT_MS_idle || row[i].want == GRT_MS_polling ||
				 row[i].want == GRT_MS_locked;

		m.status = row[i].status;
		snapshot_row(&rec, &m, &t, false);

		assert_int_equal(state(), row[i].want);
		if (is_parked)
			assert_int_equal(rec.arg[3], NOW - 2 * SECOND);
	}
}

/* A whole look that was made by hand: sched and Ps are of no size, all fields of them unknown. */
struct scene {
	struct target target;
	struct snapshot s;
	struct m_view view[8];
	bool torn[8], retried[8];
	struct thread_row row[8];
	unsigned state[GRT_MS_COUNT], rows, begins, ends;
	unsigned flagged;
	struct grt_rec end;
};

static void on_record(void *arg, const struct grt_rec *r)
{
	struct scene *c = arg;

	c->begins += r->kind == GRT_K_SNAP_BEGIN;
	if (r->kind == GRT_K_SNAP_M) {
		c->state[r->arg[2] & 0xff]++;
		c->rows++;
		c->flagged += (r->flags & GRT_RF_RETRIED) != 0;
	}
	if (r->kind == GRT_K_SNAP_END) {
		c->ends++;
		c->end = *r;
	}
}

static void scene_emit(struct scene *c, uint32_t nms, size_t nthreads)
{
	char nothing[8] = "";

	for (size_t i = 0; i < nthreads; i++) {
		c->row[i] = given_thread('S');
		c->row[i].tid = c->row[i].ns_tid = (uint32_t)(100 + i);
	}
	c->s.target = &c->target;
	c->s.tables.layout = &c->target.layout;
	c->s.tables.sched = nothing;
	c->s.tables.view = c->view;
	c->s.tables.m.n = nms;
	c->s.is_torn = c->torn;
	c->s.is_retried = c->retried;
	c->s.threads.row = c->row;
	c->s.threads.n = nthreads;
	snapshot_emit(&c->s, 0, on_record, c);
}

static void test_states_add_up_to_the_threads(void **unused)
{
	struct scene c = { 0 };
	unsigned sum = 0;

	(void)unused;
	for (uint32_t i = 0; i < 3; i++)
		c.view[i] =
			(struct m_view){ .id = i, .tid = 100 + i, .status = GRT_M_IDLE, .p = -1 };
	c.view[3] = (struct m_view){ .id = 3, .tid = 101, .status = GRT_M_DEAD, .p = -1 };
	c.view[4] = (struct m_view){ .id = 4, .tid = 999, .status = GRT_M_IDLE, .p = -1 };
	c.torn[1] = true;
	c.retried[1] = c.retried[2] = true;

	scene_emit(&c, 5, 5);

	for (int i = 0; i < GRT_MS_COUNT; i++)
		sum += c.state[i];
	assert_int_equal(sum, 5);
	assert_int_equal(c.state[GRT_MS_idle], 3);
	assert_int_equal(c.state[GRT_MS_foreign], 2);
	assert_int_equal(c.begins, 1);
	assert_int_equal(c.ends, 1);
	assert_int_equal(c.end.arg[0], 5);
	assert_int_equal(c.end.arg[1], 3);
	assert_int_equal(c.end.arg[2], 1);
	assert_int_equal(c.flagged, 2);
}

static void test_m_without_tid_claims_one_thread_and_spins(void **unused)
{
	struct scene c = { 0 };

	(void)unused;
	c.view[0] = (struct m_view){ .id = 0, .tid = 100, .status = GRT_M_IDLE, .p = -1 };
	c.view[1] = (struct m_view){ .id = 1, .tid = 0, .status = GRT_M_STARTING, .p = -1 };
	c.view[2] = (struct m_view){ .id = 2, .tid = 0, .status = GRT_M_STARTING, .p = -1 };

	/* Only one of the two has a thread already. */
	scene_emit(&c, 3, 2);
	assert_int_equal(c.state[GRT_MS_idle], 1);
	assert_int_equal(c.state[GRT_MS_spinning], 1);
	assert_int_equal(c.state[GRT_MS_foreign], 0);

	/* Both have, and there is one that no M owns. */
	memset(c.state, 0, sizeof(c.state));
	scene_emit(&c, 3, 4);
	assert_int_equal(c.state[GRT_MS_spinning], 2);
	assert_int_equal(c.state[GRT_MS_foreign], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thread_without_m_is_foreign),
		cmocka_unit_test(test_call_with_its_p_is_syscall_and_without_is_blocked),
		cmocka_unit_test(test_claim_that_stands_has_not_taken_the_p),
		cmocka_unit_test(test_one_sleep_says_when_the_call_began_to_wait),
		cmocka_unit_test(test_later_sleep_or_none_leaves_the_take_as_a_bound),
		cmocka_unit_test(test_owner_of_a_p_that_sleeps_is_hostage_with_its_call),
		cmocka_unit_test(test_page_fault_makes_a_hostage_without_a_call),
		cmocka_unit_test(test_torn_row_is_taken_as_on_the_cpu),
		cmocka_unit_test(test_runnable_off_the_cpu_waits),
		cmocka_unit_test(test_arguments_of_another_call_are_not_shown),
		cmocka_unit_test(test_foreign_function_that_sleeps_shows_the_kernels_arguments),
		cmocka_unit_test(test_parked_ms_say_so_themselves),
		cmocka_unit_test(test_states_add_up_to_the_threads),
		cmocka_unit_test(test_m_without_tid_claims_one_thread_and_spins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
