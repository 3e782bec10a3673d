/* SPDX-License-Identifier: MIT */
/*
 * invariants_test.c - the assertions of debug builds bite: each test breaks an invariant on purpose, in a
 * child, and the child must end with the number of that invariant as its last words. Built only where
 * the assertions are (tests.mk). Each breaks the memory that the code under the assertion relies on, not
 * that of the assertion, where that can be told apart.
 */
#include "../sched/runtime_test.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#include "../../runtime/fatal.h"
#include "../../runtime/handoff.h"
#include "../../runtime/lock.h"
#include "../../runtime/loop.h"
#include "../../runtime/mset.h"
#include "../../runtime/poller.h"
#include "../../runtime/pset.h"
#include "../../runtime/runq.h"
#include "../../runtime/state.h"
#include "../../runtime/syscall.h"
#include "../../runtime/timer.h"

#define PASS_NS 20000
#define CALL(tick) ((tick) << GRT_CALL_TICK_SHIFT | GRT_CALL_IN)

static void must_say(void (*body)(void), const char *words)
{
	static struct child c;

	child_run(&c, body);
	if (!WIFEXITED(c.status) || WEXITSTATUS(c.status) != FATAL_EXIT ||
	    strncmp(c.output, words, strlen(words)) != 0)
		fail_msg("status 0x%x, expected \"%s\" first of:\n%s", (unsigned)c.status, words,
			 c.output);
}

/* body as the main goroutine of a runtime with one P. */
static void (*goroutine)(void);

static int run_goroutine(void *arg)
{
	(void)arg;
	goroutine();
	return 0;
}

static void on_one_p(void)
{
	struct grt_options o = { .size = sizeof(o), .procs = 1 };

	grt_run_opts(&o, run_goroutine, NULL);
}

static void goroutine_must_say(void (*body)(void), const char *words)
{
	goroutine = body;
	must_say(on_one_p, words);
}

/* Ps without a runtime. */
static void given_ps(u32 n)
{
	lock_init(&sched.lock, RANK_SCHED);
	pset_init(n);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void wait_for(void *wg)
{
	grt_waitgroup_wait(wg);
}

/* --- I9: after IN the M does not touch its P ------------------------------------------------------- */

/* A claim that never ends keeps sysmon from taking the P; the way out of the call cancels it. */
static void enter_a_call_that_keeps_its_p(void)
{
	m_self()->take = 77ull << GRT_TAKE_SHIFT | GRT_TAKE_CLAIM;
	call_enter(SYS_getppid, 0);
}

static void give_out_an_id_in_a_call(void)
{
	enter_a_call_that_keeps_its_p();
	m_self()->p->goid_next++;
	call_exit();
}

static void queue_a_g_in_a_call(void)
{
	static struct g g;
	struct gqueue overflow = { 0 };

	enter_a_call_that_keeps_its_p();
	runq_put(&m_self()->p->runq, &g, false, &overflow);
	call_exit();
}

/* What foreign code may ask of the runtime goes by the global queue. */
static void call_the_runtime_from_a_call(void)
{
	grt_waitgroup wg = { 0 };

	grt_waitgroup_add(&wg, 1);
	EXPECT_EQ(grt_go(wait_for, &wg), 0);
	grt_yield();
	enter_a_call_that_keeps_its_p();
	EXPECT_EQ(grt_go(nothing, NULL), 0);
	grt_waitgroup_done(&wg);
	call_exit();
}

static void test_i9_who_uses_its_p_in_a_call_is_found_out(void **state)
{
	(void)state;
	goroutine_must_say(give_out_an_id_in_a_call, "fatal error: I9: ");
	goroutine_must_say(queue_a_g_in_a_call, "fatal error: I9: ");
	goroutine = call_the_runtime_from_a_call;
	child_must_pass(on_one_p);
}

/* --- I12, I21: what sysmon decides ------------------------------------------------------------------ */

static struct {
	struct p p;
	struct m m;
	struct retake_view v;
} seen;

static void given_a_g_on_a_p(u64 call, bool has_work)
{
	seen.v = (struct retake_view){
		.now_ns = 1000000000,
		.schedtick = 7,
		.m = &seen.m,
		.call = call,
		.has_work = has_work,
		.has_takers = true,
	};
}

static void when_sysmon_passes(void)
{
	bool preempt;
	enum retake_verdict verdict;

	seen.v.now_ns += PASS_NS;
	verdict = retake_decide(&seen.p, &seen.v, &preempt);
	retake_check(&seen.p, &seen.v, verdict, preempt);
}

static void sysmon_forgets_a_call(void)
{
	given_a_g_on_a_p(CALL(5ull), true);
	when_sysmon_passes();
	seen.p.seen.call = 0;
	when_sysmon_passes();
}

static void sysmon_is_patient_for_ever(void)
{
	given_a_g_on_a_p(CALL(5ull), false);
	for (i64 ns = 0; ns <= 2 * RETAKE_IDLE_NS; ns += PASS_NS) {
		seen.v.schedtick++; /* a slice that is over would be another reason */
		when_sysmon_passes();
		seen.p.seen.call_ns = seen.v.now_ns + RETAKE_IDLE_NS;
	}
}

static void test_i12_a_call_that_keeps_its_p_too_long_is_found_out(void **state)
{
	(void)state;
	must_say(sysmon_forgets_a_call, "fatal error: I12: P0 is left to a call that pass 2 sees");
	must_say(sysmon_is_patient_for_ever, "fatal error: I12: P0 is left to a call");
}

static void sysmon_never_asks(void)
{
	given_a_g_on_a_p(5ull << GRT_CALL_TICK_SHIFT, false);
	for (i64 ns = 0; ns <= 2 * SLICE_NS; ns += PASS_NS) {
		when_sysmon_passes();
		seen.p.seen.sched_ns = seen.v.now_ns;
	}
}

/* Calls that do not look: sysmon sees them go by after it has asked. */
static void pass_yield_points_without_a_look(void)
{
	for (;;)
		__atomic_add_fetch(&m_self()->p->passed, 1, __ATOMIC_SEQ_CST);
}

static void test_i21_a_slice_without_an_end_is_found_out(void **state)
{
	(void)state;
	must_say(sysmon_never_asks, "fatal error: I21: a G has had P0 for ");
	goroutine_must_say(pass_yield_points_without_a_look, "fatal error: I21: a G on P0 passed ");
}

/* --- I13: handoff_p starts an M whenever find_runnable would find a G ------------------------------- */

/* The last P goes idle, somebody waits for the network, but the count of idle Ps is wrong. */
static void hand_off_with_a_wrong_count(void)
{
	struct p *p;

	given_ps(3);
	lock_acquire(&sched.lock);
	p = pidle_get();
	lock_release(&sched.lock);
	sched.lastpoll = 1;
	sched.netpoll_waiters = 1;
	sched.npidle--;
	handoff_p(p, GRT_NO_ID, 0, GRT_HANDOFF_SELF);
}

static void hand_off_beside_a_queue_that_says_it_is_empty(void)
{
	static struct g g;
	struct p *p;

	given_ps(2);
	lock_acquire(&sched.lock);
	p = pidle_get();
	gqueue_push(&sched.runq, &g);
	lock_release(&sched.lock);
	sched.runq.size = 0;
	handoff_p(p, GRT_NO_ID, 0, GRT_HANDOFF_SELF);
}

static void test_i13_a_p_that_idles_beside_work_is_found_out(void **state)
{
	(void)state;
	must_say(hand_off_with_a_wrong_count,
		 "fatal error: I13: P0 is put on the idle list beside the network");
	must_say(hand_off_beside_a_queue_that_says_it_is_empty,
		 "fatal error: I13: P0 is put on the idle list beside the global queue");
}

/*
 * Somebody spins when the P is to be handed off, so that it may go idle. Before it is there that one finds
 * work, sees no idle P for the rest of it, and leaves a wish.
 */
static void sleep_for_ever(struct m *m)
{
	(void)m;
	for (;;)
		pause();
}

static void *hand_off(void *p)
{
	handoff_p(p, GRT_NO_ID, 0, GRT_HANDOFF_SELF);
	return NULL;
}

#define LOCK_HELD_AND_WANTED 2

static void hand_off_while_the_last_that_spins_finds_work(void)
{
	struct p *p;
	pthread_t t;

	given_ps(1);
	mset_init(sleep_for_ever);
	sched.maxmcount = 10;
	lock_acquire(&sched.lock);
	p = pidle_get();
	sched.nmspinning = 1;
	EXPECT_EQ(pthread_create(&t, NULL, hand_off, p), 0);
	while (__atomic_load_n(&sched.lock.word, __ATOMIC_SEQ_CST) != LOCK_HELD_AND_WANTED)
		sched_yield();
	__atomic_store_n(&sched.nmspinning, 0, __ATOMIC_SEQ_CST);
	m_wake();
	lock_release(&sched.lock);
	EXPECT_EQ(pthread_join(t, NULL), 0);

	EXPECT_EQ(sched_npidle(), 0);
	EXPECT_EQ(sched_nmspinning(), 1);
	EXPECT_EQ(sched.needspinning, 0);
}

static void test_i13_a_wish_for_the_p_on_its_way_to_idle_is_granted(void **state)
{
	(void)state;
	child_must_pass(hand_off_while_the_last_that_spins_finds_work);
}

/* --- I14: who waits for the network leaves one M that polls ------------------------------------------ */

static void wait_for_ever(void)
{
	static grt_waitgroup wg = GRT_WAITGROUP_INIT;

	grt_waitgroup_add(&wg, 1);
	grt_waitgroup_wait(&wg);
}

/* Somebody polls, it is said. */
static void wait_without_a_poller(void)
{
	sched.netpoll_waiters = 1;
	sched.lastpoll = 0;
	wait_for_ever();
}

static void test_i14_a_wait_that_nobody_polls_for_is_found_out(void **state)
{
	(void)state;
	goroutine_must_say(wait_without_a_poller, "fatal error: I14: Gs wait in the netpoller");
}

/* --- I15: the poller sleeps no longer than until the earliest timer --------------------------------- */

#define DUE_NS 1000

static struct timer timer;

static void given_a_timer(void)
{
	given_ps(1);
	timer_start(allp[0], &timer, DUE_NS);
}

static void sleep_past_a_timer(void)
{
	given_a_timer();
	poller_check(DUE_NS + 1, sched.breaks);
}

static void sleep_for_ever_beside_a_timer(void)
{
	given_a_timer();
	poller_check(0, sched.breaks);
}

/* Who arms it is about to tell, or has broken the poll; or the poll ends in time. */
static void sleep_as_long_as_is_right(void)
{
	given_a_timer();
	poller_check(DUE_NS, sched.breaks);
	poller_check(0, sched.breaks - 1);
	sched.timers_untold = 1;
	poller_check(0, sched.breaks);
}

static void test_i15_a_poller_that_sleeps_past_a_timer_is_found_out(void **state)
{
	(void)state;
	must_say(sleep_past_a_timer,
		 "fatal error: I15: the poller sleeps until 1001, a timer is due at 1000");
	must_say(sleep_for_ever_beside_a_timer, "fatal error: I15: ");
	child_must_pass(sleep_as_long_as_is_right);
}

/* An armed timer is owed to the poller until it is told: the count of it comes back to nothing. */
static void arm_many_timers(void)
{
	for (int i = 0; i < 100; i++) {
		EXPECT_EQ(grt_sleep(1000), 0);
		EXPECT_EQ(sched.timers_untold, 0);
	}
}

static void test_i15_every_timer_is_told(void **state)
{
	(void)state;
	goroutine = arm_many_timers;
	child_must_pass(on_one_p);
}

/* --- I19: idle Ms are counted ---------------------------------------------------------------------- */

static void idle_with_a_wrong_count(void)
{
	sched.nmidle++;
	wait_for_ever();
}

static void test_i19_an_idle_m_too_few_is_found_out(void **state)
{
	(void)state;
	goroutine_must_say(idle_with_a_wrong_count, "fatal error: I19: ");
}

/* --- I20: a local queue is FIFO; the global queue gets its look ------------------------------------- */

static struct runq queue;

static void given_a_queue_out_of_order(void)
{
	static struct g g[2];
	struct gqueue overflow = { 0 };
	struct g *first;

	for (int i = 0; i < 2; i++)
		runq_put(&queue, &g[i], false, &overflow);
	first = queue.ring[0];
	queue.ring[0] = queue.ring[1];
	queue.ring[1] = first;
}

static void get_out_of_order(void)
{
	bool inherit;

	given_a_queue_out_of_order();
	runq_get(&queue, &inherit);
}

static void steal_out_of_order(void)
{
	static struct runq own;

	given_a_queue_out_of_order();
	runq_steal(&own, &queue, false);
}

static void overflow_out_of_order(void)
{
	static struct g g[RUNQ_SIZE];
	struct gqueue overflow = { 0 };

	given_a_queue_out_of_order();
	for (u32 i = 0; i < RUNQ_SIZE; i++)
		runq_put(&queue, &g[i], false, &overflow);
}

/* The one in runnext shares our slice; the one behind it begins one. */
static void forget_the_global_queue(void)
{
	grt_go(nothing, NULL);
	grt_go(nothing, NULL);
	m_self()->p->schedtick = 1;
	m_self()->p->unfair = SCHED_FAIR_TICK;
	grt_yield();
}

static void test_i20_a_queue_out_of_order_is_found_out(void **state)
{
	(void)state;
	must_say(get_out_of_order, "fatal error: I20: G0 comes out at place 0, was put at 1");
	must_say(steal_out_of_order, "fatal error: I20: ");
	must_say(overflow_out_of_order, "fatal error: I20: ");
}

static void test_i20_a_forgotten_global_queue_is_found_out(void **state)
{
	(void)state;
	goroutine_must_say(forget_the_global_queue, "fatal error: I20: P0 gave ");
}

/* --- I23: errno belongs to the G -------------------------------------------------------------------- */

static struct g *spoil_errno(struct m *m, struct g *g)
{
	g_queued(m, g);
	g->saved_errno = EIO;
	return g;
}

static void come_back_with_anothers_errno(void)
{
	errno = ENOENT;
	g_leave(m_self()->curg, spoil_errno);
}

static void test_i23_an_errno_of_another_is_found_out(void **state)
{
	(void)state;
	goroutine_must_say(come_back_with_anothers_errno,
			   "fatal error: I23: G1 left with errno 2 and is back with 5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_i9_who_uses_its_p_in_a_call_is_found_out),
		cmocka_unit_test(test_i12_a_call_that_keeps_its_p_too_long_is_found_out),
		cmocka_unit_test(test_i13_a_p_that_idles_beside_work_is_found_out),
		cmocka_unit_test(test_i13_a_wish_for_the_p_on_its_way_to_idle_is_granted),
		cmocka_unit_test(test_i14_a_wait_that_nobody_polls_for_is_found_out),
		cmocka_unit_test(test_i15_a_poller_that_sleeps_past_a_timer_is_found_out),
		cmocka_unit_test(test_i15_every_timer_is_told),
		cmocka_unit_test(test_i19_an_idle_m_too_few_is_found_out),
		cmocka_unit_test(test_i20_a_queue_out_of_order_is_found_out),
		cmocka_unit_test(test_i20_a_forgotten_global_queue_is_found_out),
		cmocka_unit_test(test_i21_a_slice_without_an_end_is_found_out),
		cmocka_unit_test(test_i23_an_errno_of_another_is_found_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
