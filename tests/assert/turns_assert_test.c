/* SPDX-License-Identifier: MIT */
/*
 * turns_assert_test.c - who has his turn: sysmon's rule for calls, hand-offs beside work, queues and time
 * slices (I12, I13, I20, I21), as somebody outside the scheduler sees them, said with the assertion library.
 */
#include "naps.h"

#include "../../runtime/config.h"

#define QUEUED 64
#ifdef GRT_STRESS
#define ORDERED 4 /* a queue holds four there, and what is too many goes to the global one */
#else
#define ORDERED QUEUED
#endif

static int ran[QUEUED], is_over;

static void read_one(void *arg)
{
	char c;

	EXPECT_EQ(grt_read(*(int *)arg, &c, 1), 1);
	grt_waitgroup_done(&done);
}

static struct gotrace_handoff handoff_of_read(gotrace_scope *s)
{
	const struct gotrace_handoff *h;
	size_t n;

	EXPECT_HOLDS(s, gotrace_check_handed_off(s, SYS_read));
	n = gotrace_handoffs(s, &h);
	while (n > 0 && h->nr != SYS_read)
		h++, n--;
	EXPECT(n > 0, "no hand-off of a read");
	return *h;
}

/* That it is left for 10 ms without work is a test of returns_assert_test.c. */
RUNTIME_TEST(i12_with_work_queued_the_p_of_a_call_is_taken_by_sysmon_in_two_passes, 1)
{
	struct blocking_pipe p = blocking_pipe_new();
	gotrace_scope *s = scope_of_self();
	struct gotrace_handoff h;

	/* given a call, and this goroutine behind it on the queue of its P */
	grt_waitgroup_add(&done, 1);
	EXPECT_EQ(grt_go(read_one, &p.fd[0]), 0);
	grt_yield();
	EXPECT_EQ(write(p.fd[1], "x", 1), 1);
	grt_waitgroup_wait(&done);

	/* then sysmon took the P: who first saw the call waited for another look */
	h = handoff_of_read(s);
	EXPECT_EQ(h.by, GOTRACE_BY_SYSMON);
	EXPECT(h.taken_ns - h.start_ns >= SYSMON_MIN_NS,
	       "taken %d ns after the first look, at once", (int)(h.taken_ns - h.start_ns));
	gotrace_scope_end(s);
}

static void nap_and_count(void *napped)
{
	for (int i = 0; i < ROUNDS; i++)
		nap(1, NAP_NS);
	__atomic_add_fetch((int *)napped, 1, __ATOMIC_SEQ_CST);
}

/* A test for each way that a P can go is in cases_assert_test.c. */
RUNTIME_TEST(i13_while_somebody_is_runnable_no_p_of_a_call_idles, 1)
{
	gotrace_scope *s = scope_of_self();
	int napped = 0;
	const struct gotrace_handoff *h;
	size_t n;

	for (int i = 0; i < 3; i++)
		EXPECT_EQ(grt_go(nap_and_count, &napped), 0);
	while (__atomic_load_n(&napped, __ATOMIC_SEQ_CST) < 3)
		grt_yield(); /* somebody is: this one */

	n = gotrace_handoffs(s, &h);
	for (size_t i = 0; i < n; i++)
		EXPECT(h[i].nr != SYS_nanosleep || h[i].outcome != GOTRACE_HANDOFF_IDLED,
		       "P%lld idled beside work", (long long)h[i].p);
	gotrace_scope_end(s);
}

static int order[ORDERED], norder;

static void note_order(void *arg)
{
	order[norder++] = (int)((int *)arg - ran);
}

/* False: this goroutine had to let others run amid, as a busy machine had kept it off the CPU for 10 ms. */
static bool start_all(void)
{
	norder = 0;
	for (int i = 0; i < ORDERED; i++)
		EXPECT_EQ(grt_go(note_order, &ran[i]), 0);
	if (norder == 0)
		return true;
	while (norder < ORDERED)
		grt_yield();
	return false;
}

/* On one P: the newest has its turn first (runnext), all others in the order they came. */
RUNTIME_TEST(i20_goroutines_run_in_the_order_they_came_but_for_the_newest, 1)
{
	gotrace_scope *s = scope_of_self();

	while (!start_all())
		;
	while (norder < ORDERED)
		grt_yield();

	EXPECT(order[0] == ORDERED - 1, "goroutine %d ran first", order[0]);
	for (int i = 1; i < ORDERED; i++)
		EXPECT(order[i] == i - 1, "goroutine %d ran in place of %d", order[i], i - 1);
	EXPECT_HOLDS(s, gotrace_check_no_blocked_m(s));
	gotrace_scope_end(s);
}

static int turns, steps, amid, was_amid;

static void nothing(void *unused)
{
	(void)unused;
	steps++;
}

/*
 * Follows itself on its P's own queue, which so is never empty; behind the other one, which is the newest
 * and has what is left of this one's time slice. Where a busy machine has kept it off the CPU for 10 ms it lets
 * others run amid: then it waits in the global queue, too, and with it whom it has started last.
 */
static void go_on(void *unused)
{
	int step = ++steps;

	turns++;
	if (is_over)
		return;
	amid++;
	EXPECT_EQ(grt_go(go_on, unused), 0);
	EXPECT_EQ(grt_go(nothing, unused), 0);
	amid--;
	was_amid |= steps != step;
}

RUNTIME_TEST(i20_the_global_queue_has_its_turn_every_61st_time, 1)
{
	gotrace_scope *s = scope_of_self();

	EXPECT_EQ(grt_go(go_on, NULL), 0);
	for (int i = 0; i < QUEUED; i++) {
		int before = turns, ahead = amid ? 2 * amid + 1 : was_amid;

		steps++;
		grt_yield(); /* to the global queue */
		EXPECT(turns - before <= (1 + ahead) * (int)SCHED_FAIR_TICK + 1,
		       "others had %d turns meanwhile, %d waited before it", turns - before, ahead);
	}
	is_over = 1;
	EXPECT_HOLDS(s, gotrace_check_no_blocked_m(s));
	gotrace_scope_end(s);
}

static void compute_and_lock(void *unused)
{
	grt_mutex m = GRT_MUTEX_INIT;

	(void)unused;
	while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
		EXPECT_EQ(grt_mutex_lock(&m), 0);
		grt_mutex_unlock(&m);
	}
}

/* It never waits for anything: only a request to yield gets it off the only P. */
RUNTIME_TEST(i21_who_computes_for_10_ms_lets_others_run, 1)
{
	gotrace_scope *s = scope_of_self();

	EXPECT_EQ(grt_go(compute_and_lock, NULL), 0);
	for (int i = 0; i < 5; i++)
		grt_yield();
	__atomic_store_n(&is_over, 1, __ATOMIC_SEQ_CST);

	EXPECT_HOLDS(s, gotrace_check_no_blocked_m(s));
	gotrace_scope_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			i12_with_work_queued_the_p_of_a_call_is_taken_by_sysmon_in_two_passes),
		cmocka_unit_test(i13_while_somebody_is_runnable_no_p_of_a_call_idles),
		cmocka_unit_test(i20_goroutines_run_in_the_order_they_came_but_for_the_newest),
		cmocka_unit_test(i20_the_global_queue_has_its_turn_every_61st_time),
		cmocka_unit_test(i21_who_computes_for_10_ms_lets_others_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
