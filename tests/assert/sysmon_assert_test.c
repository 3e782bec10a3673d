/* SPDX-License-Identifier: MIT */
/*
 * sysmon_assert_test.c - sysmon takes Ps, and by which rules: with a clock of the test's own, that stands still
 * until it is put on, and by the passes that sysmon made meanwhile. (It goes on by a nanosecond each time
 * somebody looks: records are put in order by it.) Said with the assertion library.
 *
 * What is seen is who is blocked at each look: records that carry a time that stood still would be late.
 *
 * The clock and sysmon's sleep are the runtime's own functions, wrapped by the linker (tests.mk): what they
 * are called from is the runtime as it is.
 */
#include "assert_test.h"

#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "../../runtime/config.h"
#include "../../runtime/lock.h"
#include "../../runtime/types.h"

#define PASSES 60                      /* sysmon hurries for the first 50 */
#define LOOKS_NS (RETAKE_IDLE_NS / 10) /* more than anybody looks at the clock */

i64 __real_clock_ns(void);
bool __real_note_sleep_for(struct note *n, i64 ns);

static i64 stopped_ns;  /* A; 0: the clock goes */
static unsigned passes; /* A  of sysmon */

i64 __wrap_clock_ns(void)
{
	if (!__atomic_load_n(&stopped_ns, __ATOMIC_SEQ_CST))
		return __real_clock_ns();
	return __atomic_add_fetch(&stopped_ns, 1, __ATOMIC_SEQ_CST);
}

/* sysmon sleeps before each pass. */
bool __wrap_note_sleep_for(struct note *n, i64 ns)
{
	bool woken = __real_note_sleep_for(n, ns);

	if (n == &sched.sysmon_note)
		__atomic_add_fetch(&passes, 1, __ATOMIC_SEQ_CST);
	return woken;
}

static unsigned passes_made(void)
{
	return __atomic_load_n(&passes, __ATOMIC_SEQ_CST);
}

static void clock_stop(void)
{
	__atomic_store_n(&stopped_ns, __real_clock_ns(), __ATOMIC_SEQ_CST);
}

static void clock_put_on(i64 ns)
{
	__atomic_add_fetch(&stopped_ns, ns, __ATOMIC_SEQ_CST);
}

static void clock_go(void)
{
	__atomic_store_n(&stopped_ns, 0, __ATOMIC_SEQ_CST);
}

struct call {
	struct blocking_pipe p;
	int go_fd;
	unsigned passes; /* made when it began */
	int stage;
};

static void read_a_pipe(void *arg)
{
	struct call *c = arg;
	char byte;

	c->passes = passes_made();
	EXPECT_EQ(grt_read(c->p.fd[0], &byte, 1), 1);
}

RUNTIME_TEST(with_work_queued_sysmon_takes_the_p_at_the_second_pass_that_sees_the_call, 1)
{
	struct call c = { .p = blocking_pipe_new() };
	gotrace_scope *s = scope_of_self();
	i64 began_ns, took_ns;
	unsigned seen;

	/* given no time that passes, a call, and this goroutine behind it on the queue of its P */
	clock_stop();
	began_ns = __wrap_clock_ns();
	EXPECT_EQ(grt_go(read_a_pipe, &c), 0);
	grt_yield();
	took_ns = __wrap_clock_ns() - began_ns;
	seen = passes_made() - c.passes;
	clock_go();

	/* then one pass has seen the call, and a later one has taken the P, at the same time */
	EXPECT_BLOCKED(s, 1);
	EXPECT(seen >= 2, "the P was taken at pass %u of sysmon that saw the call", seen);
	EXPECT(took_ns < LOOKS_NS, "%d ns have passed", (int)took_ns);
	EXPECT_EQ(write(c.p.fd[1], "x", 1), 1);
	gotrace_scope_end(s);
}

static void read_when_told(void *arg)
{
	struct call *c = arg;
	uint64_t n;

	EXPECT_EQ(grt_read(c->go_fd, &n, sizeof(n)), sizeof(n));
	read_a_pipe(c);
}

enum stage { RUNS, CALLS, AT_ONCE, AT_9_MS, AT_10_MS };

/* Not yet taken? True: it has been left for PASSES more. */
static bool is_left_alone(const struct call *c, const struct gotrace_now *now)
{
	EXPECT(now->blocked == 0 && now->in_syscall == 1, "sysmon took a P that nobody needs, %s",
	       c->stage == AT_ONCE ? "and no time has passed" : "after 9 ms");
	return passes_made() - c->passes > PASSES;
}

/*
 * All is done by the observer, while nobody runs and so nobody needs the P of the call. Nor could anybody be
 * woken: that somebody polls the network is seen to by sysmon, in a time that does not pass.
 */
static bool goes_by_the_rule(gotrace_scope *s, void *arg)
{
	struct gotrace_now now = gotrace_look(s);
	struct call *c = arg;
	uint64_t one = 1;

	if (c->stage == RUNS && now.running + now.spinning == 0) {
		clock_stop();
		EXPECT_EQ(write(c->go_fd, &one, sizeof(one)), sizeof(one));
		c->stage = CALLS;
	} else if (c->stage == CALLS && now.in_syscall == 1 && now.running + now.spinning == 0) {
		c->passes = passes_made();
		c->stage = AT_ONCE;
	} else if (c->stage == AT_ONCE && is_left_alone(c, &now)) {
		clock_put_on(RETAKE_IDLE_NS - LOOKS_NS);
		c->passes = passes_made();
		c->stage = AT_9_MS;
	} else if (c->stage == AT_9_MS && is_left_alone(c, &now)) {
		clock_put_on(LOOKS_NS);
		c->stage = AT_10_MS;
	} else if (c->stage == AT_10_MS && now.blocked == 1) {
		clock_go();
		return true;
	}
	return false;
}

RUNTIME_TEST(without_work_sysmon_leaves_the_p_until_10_ms_have_passed, 2)
{
	static const char *const never[] = {
		[RUNS] = "all others never idled",
		[CALLS] = "it never called",
		[AT_ONCE] = "sysmon looks no more",
		[AT_9_MS] = "sysmon looks no more",
		[AT_10_MS] = "10 ms have passed, and sysmon leaves the P to the call",
	};
	struct call c = { .p = blocking_pipe_new(), .go_fd = eventfd(0, EFD_CLOEXEC) };
	gotrace_scope *s = scope_of_self();

	EXPECT_EQ(grt_fd_pollable(c.go_fd), 0);
	EXPECT_EQ(grt_go(read_when_told, &c), 0);
	EXPECT(gotrace_wait_for(s, goes_by_the_rule, &c, DEADLINE_NS), "%s", never[c.stage]);

	EXPECT_EQ(write(c.p.fd[1], "x", 1), 1);
	gotrace_scope_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			with_work_queued_sysmon_takes_the_p_at_the_second_pass_that_sees_the_call),
		cmocka_unit_test(without_work_sysmon_leaves_the_p_until_10_ms_have_passed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
