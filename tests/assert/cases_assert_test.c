/* SPDX-License-Identifier: MIT */
/*
 * cases_assert_test.c - where a P goes that a call gave up: a test for each case of handoff_p, in its
 * order. Everybody else is parked in the runtime or blocked meanwhile: the library's own wait would make
 * this goroutine runnable, and so work for the P.
 */
#include "assert_test.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#include "../../runtime/mset.h"
#include "../../runtime/netpoll.h"
#include "../../runtime/pset.h"

#define NAP_NS 20000000

static grt_waitgroup done;
static int order[2], norder;

/* A call known to block: its P is handed off at once, and by itself. */
static void nap(void)
{
	struct timespec ts = { .tv_nsec = NAP_NS };

	EXPECT_EQ(grt_syscall_block(SYS_nanosleep, (long)&ts, 0, 0, 0, 0, 0), 0);
}

static void napper(void *arg)
{
	(void)arg;
	nap();
	order[norder++] = 1;
	grt_waitgroup_done(&done);
}

/* Only while the worker waits. Whose CPU was taken for 10 ms is asked to yield: then it may have run before. */
static void napper_before_worker(void *arg)
{
	if (norder == 0)
		napper(arg);
	else
		grt_waitgroup_done(&done);
}

static void worker(void *arg)
{
	(void)arg;
	order[norder++] = 2;
	grt_waitgroup_done(&done);
}

/* The one hand-off of a nap. */
static struct gotrace_handoff handoff_of(gotrace_scope *s)
{
	const struct gotrace_handoff *h;
	size_t n;

	EXPECT_HOLDS(s, gotrace_check_handed_off(s, SYS_nanosleep));
	n = gotrace_handoffs(s, &h);
	while (n > 0 && h->nr != SYS_nanosleep)
		h++, n--;
	EXPECT(n > 0, "no hand-off of a nap");
	EXPECT_EQ(h->by, GOTRACE_BY_SELF);
	return *h;
}

RUNTIME_TEST(with_work_of_its_own_the_p_gets_an_m, 1)
{
	gotrace_scope *s = scope_of_self();
	struct gotrace_handoff h;

	/* given a goroutine behind the one that will block, on its P's own queue */
	do {
		norder = 0;
		grt_waitgroup_add(&done, 2);
		EXPECT_EQ(grt_go(worker, NULL), 0);
		EXPECT_EQ(grt_go(napper_before_worker, NULL), 0); /* runs first */
		grt_waitgroup_wait(&done);
	} while (norder < 2);

	/* then another M runs that one, while the first is in its call */
	h = handoff_of(s);
	EXPECT(h.outcome == GOTRACE_HANDOFF_WOKE || h.outcome == GOTRACE_HANDOFF_MADE, "outcome %d",
	       h.outcome);
	EXPECT(h.to_m >= 0 && h.to_m != h.from_m, "M%ld has it", (long)h.to_m);
	EXPECT_EQ(order[0], 2);
	gotrace_scope_end(s);
}

RUNTIME_TEST(with_work_on_the_global_queue_the_p_gets_an_m, 1)
{
	gotrace_scope *s = scope_of_self();
	struct gotrace_handoff h;

	/* given this goroutine on the global queue, where who yields goes */
	grt_waitgroup_add(&done, 1);
	EXPECT_EQ(grt_go(napper, NULL), 0);
	grt_yield();

	/* then it runs before the nap is over */
	EXPECT_EQ(norder, 0);
	grt_waitgroup_wait(&done);
	h = handoff_of(s);
	EXPECT(h.outcome == GOTRACE_HANDOFF_WOKE || h.outcome == GOTRACE_HANDOFF_MADE, "outcome %d",
	       h.outcome);
	gotrace_scope_end(s);
}

RUNTIME_TEST(without_work_and_nobody_looking_an_m_spins_with_the_p, 1)
{
	gotrace_scope *s = scope_of_self();

	/* given the only P, and nobody to run on it */
	grt_waitgroup_add(&done, 1);
	EXPECT_EQ(grt_go(napper, NULL), 0);
	grt_waitgroup_wait(&done);

	/* then an M looks for work with it, since nobody else does */
	EXPECT_EQ(handoff_of(s).outcome, GOTRACE_HANDOFF_SPINNING);
	gotrace_scope_end(s);
}

static bool others_are_idle(void)
{
	return sched_npidle() == sched.gomaxprocs - 1 &&
	       __atomic_load_n(&sched.nmspinning, __ATOMIC_SEQ_CST) == 0;
}

/* Without a yield: that would be work for the others. */
static void spin_until(bool (*is_so)(void))
{
	int64_t until = grt_now() + DEADLINE_NS;

	while (!is_so())
		EXPECT(grt_now() < until, "still not so after 20 s");
}

RUNTIME_TEST(without_work_beside_an_idle_p_the_p_idles_too, 2)
{
	gotrace_scope *s = scope_of_self();
	struct gotrace_handoff h;

	/* given another P that has found nothing to do, and nobody who waits for the network */
	spin_until(others_are_idle);
	nap();

	h = handoff_of(s);
	EXPECT_EQ(h.outcome, GOTRACE_HANDOFF_IDLED);
	EXPECT_EQ(h.to_m, -1);
	EXPECT_EQ(h.done_ns, 0);
	gotrace_scope_end(s);
}

static int waits_on;

static void waiter(void *arg)
{
	char c;

	(void)arg;
	EXPECT_EQ(grt_read(waits_on, &c, 1), 1);
	grt_waitgroup_done(&done);
}

static bool somebody_polls(void)
{
	return others_are_idle() && netpoll_any_waiters() &&
	       __atomic_load_n(&sched.lastpoll, __ATOMIC_SEQ_CST) == 0;
}

RUNTIME_TEST(beside_an_m_that_polls_the_network_the_p_idles, 2)
{
	gotrace_scope *s = scope_of_self();
	int fd[2];

	/* given a goroutine that waits on a socket, and an M that polls for it */
	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	EXPECT_EQ(grt_fd_pollable(fd[0]), 0);
	waits_on = fd[0];
	grt_waitgroup_add(&done, 1);
	EXPECT_EQ(grt_go(waiter, NULL), 0);
	spin_until(somebody_polls);
	nap();

	/* then no second one is made for the P, and the first still hears of the socket */
	EXPECT_EQ(handoff_of(s).outcome, GOTRACE_HANDOFF_IDLED);
	EXPECT_EQ(write(fd[1], "x", 1), 1);
	grt_waitgroup_wait(&done);
	gotrace_scope_end(s);
}

static bool polls_not(void)
{
	return others_are_idle() && __atomic_load_n(&sched.lastpoll, __ATOMIC_SEQ_CST) != 0;
}

RUNTIME_TEST(the_last_p_gets_an_m_if_nobody_polls_the_network, 2)
{
	gotrace_scope *s = scope_of_self();
	int fd[2];

	/* given somebody who waits for the network at the moment when the last P is given up */
	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	EXPECT_EQ(grt_fd_pollable(fd[0]), 0);
	spin_until(polls_not);
	__atomic_add_fetch(&sched.netpoll_waiters, 1,
			   __ATOMIC_SEQ_CST); /* its M went idle before that */
	nap();
	__atomic_sub_fetch(&sched.netpoll_waiters, 1, __ATOMIC_SEQ_CST);

	/* then an M is started with it, who will poll */
	EXPECT_EQ(handoff_of(s).outcome, GOTRACE_HANDOFF_POLLER);
	gotrace_scope_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_work_of_its_own_the_p_gets_an_m),
		cmocka_unit_test(with_work_on_the_global_queue_the_p_gets_an_m),
		cmocka_unit_test(without_work_and_nobody_looking_an_m_spins_with_the_p),
		cmocka_unit_test(the_last_p_gets_an_m_if_nobody_polls_the_network),
		cmocka_unit_test(without_work_beside_an_idle_p_the_p_idles_too),
		cmocka_unit_test(beside_an_m_that_polls_the_network_the_p_idles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
