/* SPDX-License-Identifier: MIT */
/* sink_test.c - the sink: what is fired is read, in order, or counted where it is missing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <grt/trace.h>

#include "../../runtime/lock.h"
#include "../../runtime/probes.h"
#include "../../runtime/sink.h"

#define KIND(name) (1ull << GRT_K_##name)
#define RECS 64
#define THREADS 4
#define PER_THREAD 20000
#define TINY_RING 8

static struct grt_rec rec[RECS];

static u32 own_tid(void)
{
	return (u32)syscall(SYS_gettid);
}

static int close_the_sink(void **state)
{
	(void)state;
	grt_sink_close();
	m_self_tls = NULL;
	return 0;
}

static void test_open_raises_the_semaphores_of_its_kinds(void **state)
{
	(void)state;
	assert_int_equal(grt_sink_open(KIND(retake) | KIND(g_park), 0), 0);
	assert_int_equal(grt_retake_semaphore, 1);
	assert_int_equal(grt_g_park_semaphore, 1);
	assert_int_equal(grt_g_run_semaphore, 0);

	assert_int_equal(grt_sink_close(), 0);
	assert_int_equal(grt_retake_semaphore, 0);
	assert_int_equal(grt_g_park_semaphore, 0);
}

static void test_a_tracers_count_stays(void **state)
{
	(void)state;
	grt_retake_semaphore = 2; /* two tracers have the probe */
	assert_int_equal(grt_sink_open(KIND(retake), 0), 0);
	assert_int_equal(grt_retake_semaphore, 3);
	assert_int_equal(grt_sink_close(), 0);
	assert_int_equal(grt_retake_semaphore, 2);
	grt_retake_semaphore = 0;
}

static void test_wrong_use_is_told(void **state)
{
	(void)state;
	assert_int_equal(grt_sink_close(), -EBADF);
	assert_int_equal(grt_sink_open(0, 0), -EINVAL);
	assert_int_equal(grt_sink_open(1ull << 63 | 1, 0), -EINVAL);
	assert_int_equal(grt_sink_open(KIND(retake), SIZE_MAX), -ENOMEM);
	assert_int_equal(grt_sink_open(KIND(retake), 0), 0);
	assert_int_equal(grt_sink_open(KIND(retake), 0), -EBUSY);
}

static void test_a_record_says_who_when_and_what(void **state)
{
	u64 before = (u64)clock_ns();

	(void)state;
	assert_int_equal(grt_sink_open(KIND(handoff), 0), 0);
	PROBE_FIRE(handoff, 1, 2, 3, 4, 5, GRT_NO_ID);
	PROBE_FIRE(retake, 1, 2, 3, 4, 5, 6); /* not asked for */

	assert_int_equal(grt_sink_read(rec, RECS), 1);
	assert_int_equal(rec[0].kind, GRT_K_handoff);
	assert_int_equal(rec[0].tid, own_tid());
	assert_true(rec[0].time_ns >= before && rec[0].time_ns <= (u64)clock_ns());
	for (u64 i = 0; i < 5; i++)
		assert_int_equal(rec[0].arg[i], i + 1);
	assert_true(rec[0].arg[5] == GRT_NO_ID);
	assert_int_equal(grt_sink_read(rec, RECS), 0);
}

static void fire(u64 from, u64 to)
{
	for (u64 i = from; i <= to; i++)
		PROBE_FIRE(g_ready, i);
}

static void assert_goid(size_t at, u64 goid)
{
	assert_int_equal(rec[at].kind, GRT_K_g_ready);
	assert_int_equal(rec[at].arg[0], goid);
}

static void assert_loss(size_t at, u64 n)
{
	assert_int_equal(rec[at].kind, GRT_K_LOST);
	assert_int_equal(rec[at].arg[0], GRT_LOSS_RING);
	assert_int_equal(rec[at].arg[1], n);
}

static void test_loss_at_the_end_is_told_at_the_end(void **state)
{
	(void)state;
	assert_int_equal(grt_sink_open(KIND(g_ready), 4), 0);
	fire(1, 6);

	assert_int_equal(grt_sink_read(rec, RECS), 5);
	for (size_t i = 0; i < 4; i++)
		assert_goid(i, i + 1);
	assert_loss(4, 2);
	fire(7, 7);
	assert_int_equal(grt_sink_read(rec, RECS), 1);
	assert_goid(0, 7);
}

static void test_loss_in_the_middle_is_told_in_the_middle(void **state)
{
	(void)state;
	assert_int_equal(grt_sink_open(KIND(g_ready), 4), 0);
	fire(1, 6);
	assert_int_equal(grt_sink_read(rec, 2), 2);
	fire(7, 7);

	assert_int_equal(grt_sink_read(rec, RECS), 4);
	assert_goid(0, 3);
	assert_goid(1, 4);
	assert_loss(2, 2);
	assert_goid(3, 7);
}

static void test_loss_waits_for_a_reader_with_room(void **state)
{
	(void)state;
	assert_int_equal(grt_sink_open(KIND(g_ready), 4), 0);
	fire(1, 5);
	assert_int_equal(grt_sink_read(rec, 4), 4);
	assert_int_equal(grt_sink_read(rec, RECS), 1);
	assert_loss(0, 1);
	assert_int_equal(grt_sink_read(rec, RECS), 0);
}

static void test_each_open_has_the_capacity_it_asked_for(void **state)
{
	static const size_t capacity[] = { 4, 16, 2, 3, 32 };
	static const size_t rounded[] = { 4, 16, 2, 4, 32 };
	static struct m m; /* a ring of its own */

	m_self_tls = &m;
	for (size_t i = 0; i < sizeof(capacity) / sizeof(capacity[0]); i++) {
		assert_int_equal(grt_sink_open(KIND(g_ready), capacity[i]), 0);
		sink_thread_start(&m);
		fire(1, rounded[i] + 1);
		assert_int_equal(grt_sink_read(rec, RECS), rounded[i] + 1);
		assert_loss(rounded[i], 1);
		assert_int_equal(grt_sink_close(), 0);
	}
	close_the_sink(state);
}

static void test_open_forgets_what_was_not_read(void **state)
{
	(void)state;
	assert_int_equal(grt_sink_open(KIND(g_ready), 2), 0);
	fire(1, 5);
	assert_int_equal(grt_sink_close(), 0);
	assert_int_equal(grt_sink_open(KIND(g_ready), 2), 0);
	assert_int_equal(grt_sink_read(rec, RECS), 0);
}

static void test_rings_are_merged_by_time(void **state)
{
	static struct m m[3] = { { .tid = 101 }, { .tid = 102 }, { .tid = 103 } };

	(void)state;
	assert_int_equal(grt_sink_open(KIND(g_ready), 0), 0);
	for (int i = 0; i < 3; i++)
		sink_thread_start(&m[i]);
	for (u64 i = 0; i < 30; i++) {
		m_self_tls = i % 4 == 3 ? NULL : &m[i % 4];
		fire(i, i);
	}

	assert_int_equal(grt_sink_read(rec, 7), 7);
	assert_int_equal(grt_sink_read(rec + 7, RECS - 7), 23);
	for (u64 i = 0; i < 30; i++) {
		assert_goid(i, i);
		assert_int_equal(rec[i].tid, i % 4 == 3 ? own_tid() : 101 + i % 4);
	}
}

static void test_the_next_thread_of_a_slot_goes_on_behind_the_last(void **state)
{
	static struct m m = { .tid = 1 };

	(void)state;
	assert_int_equal(grt_sink_open(KIND(g_ready), 0), 0);
	m_self_tls = &m;
	sink_thread_start(&m);
	fire(1, 1);
	m.tid = 2;
	sink_thread_start(&m);
	fire(2, 2);

	assert_int_equal(grt_sink_read(rec, RECS), 2);
	assert_goid(0, 1);
	assert_goid(1, 2);
	assert_int_equal(rec[1].tid, 2);
}

/* Threads fire numbered records while one reads: each comes once and in order, or is counted. */
struct writer {
	struct m m;
	bool is_foreign;
	u64 base;
	u64 next; /* reader's: the next number that may come */
	pthread_t thread;
};

static struct writer writers[THREADS];
static u32 writers_done;

static void *write_all(void *arg)
{
	struct writer *w = arg;

	if (!w->is_foreign) {
		m_self_tls = &w->m;
		w->m.tid = (i32)own_tid();
		sink_thread_start(&w->m);
	}
	fire(w->base + 1, w->base + PER_THREAD);
	__atomic_add_fetch(&writers_done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void check_rec(const struct grt_rec *r, u64 *got, u64 *lost)
{
	struct writer *w;

	if (r->kind == GRT_K_LOST) {
		*lost += r->arg[1];
		return;
	}
	w = &writers[r->arg[0] >> 32];
	assert_true(r->arg[0] >= w->next);
	w->next = r->arg[0] + 1;
	++*got;
}

static void read_while_threads_fire(size_t ring, u64 *ret_got, u64 *ret_lost)
{
	bool is_last = false;
	ssize_t n = 0;

	writers_done = 0;
	assert_int_equal(grt_sink_open(KIND(g_ready), ring), 0);
	for (u64 i = 0; i < THREADS; i++) {
		writers[i] = (struct writer){ .base = i << 32, .is_foreign = i < 2 };
		assert_int_equal(pthread_create(&writers[i].thread, NULL, write_all, &writers[i]),
				 0);
	}
	while (!is_last || n > 0) {
		is_last = __atomic_load_n(&writers_done, __ATOMIC_ACQUIRE) == THREADS;
		n = grt_sink_read(rec, RECS);
		for (ssize_t i = 0; i < n; i++)
			check_rec(&rec[i], ret_got, ret_lost);
		if (n == 0)
			sched_yield();
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(writers[i].thread, NULL);
}

static void test_nothing_is_lost_where_there_is_room(void **state)
{
	u64 got = 0, lost = 0;

	(void)state;
	read_while_threads_fire((size_t)2 * PER_THREAD, &got, &lost);
	assert_int_equal(lost, 0);
	assert_int_equal(got, THREADS * PER_THREAD);
}

static void test_what_is_missing_is_counted_exactly(void **state)
{
	u64 got = 0, lost = 0;

	(void)state;
	read_while_threads_fire(TINY_RING, &got, &lost);
	assert_true(got >= TINY_RING);
	assert_int_equal(got + lost, THREADS * PER_THREAD);
}

int main(void)
{
#define SINK_TEST(name) cmocka_unit_test_teardown(name, close_the_sink)
	const struct CMUnitTest tests[] = {
		SINK_TEST(test_open_raises_the_semaphores_of_its_kinds),
		SINK_TEST(test_a_tracers_count_stays),
		SINK_TEST(test_wrong_use_is_told),
		SINK_TEST(test_a_record_says_who_when_and_what),
		SINK_TEST(test_loss_at_the_end_is_told_at_the_end),
		SINK_TEST(test_loss_in_the_middle_is_told_in_the_middle),
		SINK_TEST(test_loss_waits_for_a_reader_with_room),
		SINK_TEST(test_each_open_has_the_capacity_it_asked_for),
		SINK_TEST(test_open_forgets_what_was_not_read),
		SINK_TEST(test_rings_are_merged_by_time),
		SINK_TEST(test_the_next_thread_of_a_slot_goes_on_behind_the_last),
		SINK_TEST(test_nothing_is_lost_where_there_is_room),
		SINK_TEST(test_what_is_missing_is_counted_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
