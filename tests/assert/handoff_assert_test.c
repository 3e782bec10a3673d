/* SPDX-License-Identifier: MIT */
/*
 * handoff_assert_test.c - what libgrt promises of blocking calls and of network I/O, said with the
 * assertion library; one test a promise.
 */
#include "assert_test.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#define PROCS 2
#define CONNECTIONS 1000
#define CALLS 100

static int finished;

static void read_one(void *arg)
{
	char c;

	EXPECT_EQ(grt_read(*(int *)arg, &c, 1), 1);
	__atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

static bool are_parked(gotrace_scope *s, void *arg)
{
	return gotrace_look(s).netpoll_parked >= *(unsigned *)arg;
}

RUNTIME_TEST(network_io_blocks_no_thread, PROCS)
{
	static int fd[CONNECTIONS][2];
	unsigned want = CONNECTIONS;
	gotrace_scope *s = scope_of_self();
	bool came;

	/* given a thousand goroutines that each wait for a connection of their own */
	for (int i = 0; i < CONNECTIONS; i++) {
		EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd[i]), 0);
		EXPECT_EQ(grt_fd_pollable(fd[i][0]), 0);
		EXPECT_EQ(grt_go(read_one, &fd[i][0]), 0);
	}
	came = gotrace_wait_for(s, are_parked, &want, DEADLINE_NS);

	/* then they wait in the netpoller, and threads are few */
	EXPECT_HOLDS(s, gotrace_check_netpoll_parked(s, fd[0][0]));
	EXPECT_HOLDS(s, gotrace_check_netpoll_parked(s, fd[CONNECTIONS - 1][0]));
	EXPECT(came, "%d of %u wait there", (int)gotrace_look(s).netpoll_parked, want);
	EXPECT_HOLDS(s, gotrace_check_threads_at_most(s, PROCS + 4 + SANITIZER_THREADS));
	/* On a busy machine some lost their CPU, and so their P, in a read that did not wait: not for long. */
	EXPECT_BLOCKED(s, 0);
	gotrace_scope_end(s);
}

static void read_a_pipe(void *arg)
{
	struct blocking_pipe *p = arg;
	char c;

	EXPECT_EQ(grt_read(p->fd[0], &c, 1), 1);
	__atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

RUNTIME_TEST(a_blocking_syscall_gives_its_p_to_another_m, 1)
{
	struct blocking_pipe p = blocking_pipe_new();
	const struct gotrace_handoff *h;
	gotrace_scope *s = scope_of_self();
	size_t n;

	EXPECT_EQ(grt_go(read_a_pipe, &p), 0);
	EXPECT_BLOCKED(s, 1);

	EXPECT_HOLDS(s, gotrace_check_handed_off(s, SYS_read));
	n = gotrace_handoffs(s, &h);
	while (n > 0 && h->nr != SYS_read)
		h++, n--;
	EXPECT(n > 0, "the hand-off is in the list");
	EXPECT_EQ(h->by, GOTRACE_BY_SYSMON);
	EXPECT(h->to_m != h->from_m, "another M has it");
	EXPECT(h->done_ns >= h->taken_ns && h->taken_ns >= h->start_ns, "in the order of time");
	gotrace_scope_end(s);
}

RUNTIME_TEST(threads_grow_past_gomaxprocs_with_blocked_calls, PROCS)
{
	static struct blocking_pipe p[CALLS];
	gotrace_scope *s = scope_of_self();

	for (int i = 0; i < CALLS; i++) {
		p[i] = blocking_pipe_new();
		EXPECT_EQ(grt_go(read_a_pipe, &p[i]), 0);
	}
	EXPECT_BLOCKED(s, CALLS);

	EXPECT_VIOLATED(s, gotrace_check_threads_at_most(s, CALLS));
	EXPECT_VIOLATED(s, gotrace_check_blocked_at_most(s, CALLS - 1));
	EXPECT_HOLDS(s, gotrace_check_blocked_at_most(s, CALLS));
	EXPECT_HOLDS(s, gotrace_check_threads_at_most(s, CALLS + PROCS + 6 + SANITIZER_THREADS));
	gotrace_scope_end(s);
}

static long read_in_c(void *arg)
{
	char c;

	return read(((struct blocking_pipe *)arg)->fd[0], &c, 1);
}

static void call_c(void *arg)
{
	EXPECT_EQ(grt_blocking_call(read_in_c, arg), 1);
	__atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

RUNTIME_TEST(foreign_code_is_handed_off_like_a_syscall_not_like_the_network, 1)
{
	struct blocking_pipe p = blocking_pipe_new();
	gotrace_scope *s = scope_of_self();

	EXPECT_EQ(grt_go(call_c, &p), 0);
	EXPECT_BLOCKED(s, 1);

	EXPECT_HOLDS(s, gotrace_check_handed_off(s, GOTRACE_FOREIGN));
	EXPECT_VIOLATED(s, gotrace_check_netpoll_parked(s, p.fd[0]));
	gotrace_scope_end(s);
}

static void give_up(void *arg)
{
	struct blocking_pipe *p = arg;
	char c;

	EXPECT_EQ(grt_syscall_block(SYS_read, p->fd[0], (long)&c, 1, 0, 0, 0), 1);
}

RUNTIME_TEST(a_call_known_to_block_is_given_up_by_its_own_m, 1)
{
	struct blocking_pipe p = blocking_pipe_new();
	const struct gotrace_handoff *h;
	gotrace_scope *s = scope_of_self();
	size_t n;

	EXPECT_EQ(grt_go(give_up, &p), 0);
	EXPECT_BLOCKED(s, 1);

	EXPECT_HOLDS(s, gotrace_check_handed_off(s, SYS_read));
	n = gotrace_handoffs(s, &h);
	while (n > 0 && (h->nr != SYS_read || h->by != GOTRACE_BY_SELF))
		h++, n--;
	EXPECT(n > 0, "no hand-off of a read by its own M");
	gotrace_scope_end(s);
}

/*
 * Who sleeps with its P sends no record: the sink can never tell that nobody did. That somebody did, in
 * a page fault or for a lock, a look may meet by chance.
 */
RUNTIME_TEST(without_the_kernel_no_hostage_is_not_proven, 1)
{
	gotrace_scope *s = scope_of_self();

	if (gotrace_check_no_hostage(s) == GOTRACE_VIOLATED)
		EXPECT_SAYS(s, "an M held a P while it slept outside of any call");
	else
		EXPECT_SAYS(s, "a hostage is what the kernel sees; libgrt's sink does not see it");
	EXPECT(gotrace_check_no_hostage(s) != GOTRACE_HOLDS, "%s", gotrace_text(s));
	gotrace_scope_end(s);
	EXPECT(!gotrace_scope_begin(gotrace_self(), GOTRACE_NEEDS_KERNEL),
	       "a scope that sees less");
	EXPECT(strstr(gotrace_why(), "the kernel's view is needed and libgrt's sink has none"),
	       "%s", gotrace_why());
}

static bool has_hostage(gotrace_scope *s, void *unused)
{
	(void)unused;
	return gotrace_look(s).hostage > 0;
}

static void read_untold(void *arg)
{
	char c;

	EXPECT_EQ(read(*(int *)arg, &c, 1), 1);
	__atomic_store_n(&finished, 1, __ATOMIC_SEQ_CST);
}

/* The runtime is not told of the read: its P stays. Once seen, that is told for good. */
RUNTIME_TEST(a_hostage_that_a_look_meets_is_one_without_the_kernel, PROCS)
{
	struct blocking_pipe p = blocking_pipe_new();
	gotrace_scope *s = scope_of_self();

	EXPECT_EQ(grt_go(read_untold, &p.fd[0]), 0);
	EXPECT(gotrace_wait_for(s, has_hostage, NULL, DEADLINE_NS), "%s", gotrace_text(s));
	EXPECT_VIOLATED(s, gotrace_check_no_hostage(s));

	EXPECT_EQ(write(p.fd[1], "x", 1), 1);
	AWAIT(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == 1);
	EXPECT_VIOLATED(s, gotrace_check_no_hostage(s));
	EXPECT_SAYS(s, "an M held a P while it slept outside of any call");
	gotrace_scope_end(s);
}

struct call {
	struct blocking_pipe p;
	bool is_over;
};

/* The observer ends the call when no P is in use, and nobody looks for work with one. */
static bool returns_to_idle_ps(gotrace_scope *s, void *arg)
{
	struct gotrace_now now = gotrace_look(s);
	struct gotrace_returns r = gotrace_returned(s);
	struct call *c = arg;

	if (!c->is_over && now.blocked == 1 && now.procs_idle == PROCS && now.spinning == 0) {
		EXPECT_EQ(write(c->p.fd[1], "x", 1), 1);
		c->is_over = true;
	}
	return r.old_p + r.idle_p + r.queued > 0;
}

static void let_go(struct blocking_pipe *p)
{
	EXPECT_EQ(write(p->fd[1], "x", 1), 1);
}

RUNTIME_TEST(after_a_call_with_a_p_idle_the_goroutine_takes_one, PROCS)
{
	struct call c = { .p = blocking_pipe_new() };
	gotrace_scope *s = scope_of_self();
	struct gotrace_returns r;

	/* given a blocked call, and Ps that have nothing to do: this goroutine is parked meanwhile */
	EXPECT_EQ(grt_go(read_a_pipe, &c.p), 0);
	EXPECT(gotrace_wait_for(s, returns_to_idle_ps, &c, DEADLINE_NS), "it never came back");

	r = gotrace_returned(s);
	EXPECT_EQ(r.queued, 0);
	EXPECT_EQ(r.old_p + r.idle_p, 1);
	gotrace_scope_end(s);
}

RUNTIME_TEST(after_a_call_with_every_p_busy_the_goroutine_is_queued, 1)
{
	struct blocking_pipe p = blocking_pipe_new();
	gotrace_scope *s = scope_of_self();

	EXPECT_EQ(grt_go(read_a_pipe, &p), 0);
	EXPECT_BLOCKED(s, 1);
	/* This goroutine has the only P, and keeps it until the other one has been queued. */
	let_go(&p);
	AWAIT(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == 1);

	EXPECT_EQ(gotrace_returned(s).queued, 1);
	gotrace_scope_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(network_io_blocks_no_thread),
		cmocka_unit_test(a_blocking_syscall_gives_its_p_to_another_m),
		cmocka_unit_test(threads_grow_past_gomaxprocs_with_blocked_calls),
		cmocka_unit_test(foreign_code_is_handed_off_like_a_syscall_not_like_the_network),
		cmocka_unit_test(a_call_known_to_block_is_given_up_by_its_own_m),
		cmocka_unit_test(without_the_kernel_no_hostage_is_not_proven),
		cmocka_unit_test(a_hostage_that_a_look_meets_is_one_without_the_kernel),
		cmocka_unit_test(after_a_call_with_a_p_idle_the_goroutine_takes_one),
		cmocka_unit_test(after_a_call_with_every_p_busy_the_goroutine_is_queued),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
