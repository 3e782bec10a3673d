/* SPDX-License-Identifier: MIT */
/*
 * leaving_assert_test.c - out of a call again (I9 to I11): of who returns and who took its P exactly one has
 * it, and nobody waits. Said with the assertion library.
 */
#include "naps.h"

#define TURNS 400

static int ran[WORKERS], is_over;

static void yield_often(void *arg)
{
	for (int i = 0; i < TURNS; i++) {
		++*(int *)arg;
		grt_yield();
	}
	grt_waitgroup_done(&done);
}

/* What an M in a call did to the P that was its own would be lost to who has the P now. */
RUNTIME_TEST(i09_an_m_in_a_call_leaves_the_p_to_others, 1)
{
	struct blocking_pipe p = blocking_pipe_new();
	gotrace_scope *s = scope_of_self();
	struct gotrace_returns r;

	/* given an M inside a call that has lost the only P */
	grt_waitgroup_add(&done, WORKERS + 1);
	EXPECT_EQ(grt_go(read_a_pipe, &p), 0);
	EXPECT_BLOCKED(s, 1);

	/* when others run on that P, and the call ends amid */
	for (int i = 0; i < WORKERS; i++)
		EXPECT_EQ(grt_go(yield_often, &ran[i]), 0);
	EXPECT_EQ(write(p.fd[1], "x", 1), 1);
	grt_waitgroup_wait(&done);

	/* then none of them has lost a turn, and who was inside has come back once */
	for (int i = 0; i < WORKERS; i++)
		EXPECT(ran[i] == TURNS, "a goroutine ran %d of %d times", ran[i], TURNS);
	r = gotrace_returned(s);
	EXPECT_EQ(r.old_p + r.idle_p + r.queued, 1);
	gotrace_scope_end(s);
}

/* Hand-offs that a call was the reason of. */
static uint64_t lost_in_calls(gotrace_scope *s)
{
	const struct gotrace_handoff *h;
	size_t n = gotrace_handoffs(s, &h);
	uint64_t lost = 0;

	for (size_t i = 0; i < n; i++)
		lost += h[i].nr == SYS_nanosleep || h[i].nr == GOTRACE_FOREIGN;
	return lost;
}

static uint64_t came_back(gotrace_scope *s)
{
	struct gotrace_returns r = gotrace_returned(s);

	return r.old_p + r.idle_p + r.queued;
}

/*
 * Naps end about when sysmon takes their Ps. A P may also be lost without a hand-off, to somebody else who
 * comes back: so not fewer come back than were handed off, and not more than there were calls.
 */
RUNTIME_TEST(i10_the_returning_m_or_the_taker_has_the_p_never_both, 2)
{
	gotrace_scope *s = scope_of_self();
	uint64_t back;

	all_work_and_nap();

	EXPECT(most_inside <= 2, "%d goroutines ran at once on 2 Ps", most_inside);
	EXPECT_BLOCKED(s, 0);
	back = came_back(s);
	EXPECT(back >= lost_in_calls(s) && back <= WORKERS * ROUNDS,
	       "of %d calls %d were handed off, and %d came back from one", WORKERS * ROUNDS,
	       (int)lost_in_calls(s), (int)back);
	gotrace_scope_end(s);
}

/* All of them give their P up, so nobody takes one from a call: the books must agree. */
RUNTIME_TEST(i10_who_gave_its_p_up_comes_back_once, 2)
{
	gotrace_scope *s = scope_of_self();

	grt_waitgroup_add(&done, WORKERS);
	for (int i = 0; i < WORKERS; i++)
		EXPECT_EQ(grt_go(nap_eagerly, NULL), 0);
	grt_waitgroup_wait(&done);

	EXPECT_BLOCKED(s, 0);
	EXPECT_EQ(lost_in_calls(s), WORKERS * ROUNDS);
	EXPECT_EQ(came_back(s), WORKERS * ROUNDS);
	gotrace_scope_end(s);
}

struct leaving {
	struct blocking_pipe p;
	bool is_written;
};

/* The observer ends the call while a goroutine computes on the only P, and sees the M out of it. */
static bool leaves_beside_a_busy_p(gotrace_scope *s, void *arg)
{
	struct gotrace_now now = gotrace_look(s);
	struct leaving *l = arg;

	if (!l->is_written && now.blocked == 1 && now.running == 1) {
		EXPECT_EQ(write(l->p.fd[1], "x", 1), 1);
		l->is_written = true;
	}
	if (!l->is_written || now.blocked != 0)
		return false;
	EXPECT(now.running == 1, "%u Ms run on one P: who left its call waits for it", now.running);
	EXPECT_EQ(gotrace_returned(s).queued, 0); /* not told before it runs again */
	__atomic_store_n(&is_over, 1, __ATOMIC_SEQ_CST);
	return true;
}

RUNTIME_TEST(i11_leaving_a_call_waits_for_no_p, 1)
{
	struct leaving l = { .p = blocking_pipe_new() };
	gotrace_scope *s = scope_of_self();

	grt_waitgroup_add(&done, 1);
	EXPECT_EQ(grt_go(read_a_pipe, &l.p), 0);
	EXPECT_BLOCKED(s, 1);
	EXPECT_EQ(grt_go(spin, &is_over), 0);
	EXPECT(gotrace_wait_for(s, leaves_beside_a_busy_p, &l, DEADLINE_NS),
	       "the call is over, and its M waits for the busy P");

	grt_waitgroup_wait(&done);
	EXPECT_EQ(gotrace_returned(s).queued, 1);
	gotrace_scope_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(i09_an_m_in_a_call_leaves_the_p_to_others),
		cmocka_unit_test(i10_the_returning_m_or_the_taker_has_the_p_never_both),
		cmocka_unit_test(i10_who_gave_its_p_up_comes_back_once),
		cmocka_unit_test(i11_leaving_a_call_waits_for_no_p),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
