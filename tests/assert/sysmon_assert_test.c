/* SPDX-License-Identifier: MIT */
/*
 * sysmon_assert_test.c - sysmon takes Ps, and by which rules: with a clock of the test's own, that stands still
 * until it is put on, and by passes that sysmon makes when it is allowed to. (It goes on by a nanosecond each time
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

static i64 stopped_ns;                  /* A; 0: the clock goes */
static unsigned ended;                  /* A  passes of sysmon that are over */
static int is_held, is_asleep, allowed; /* A  sysmon makes only the passes that it is allowed */

i64 __wrap_clock_ns(void)
{
	if (!__atomic_load_n(&stopped_ns, __ATOMIC_SEQ_CST))
		return __real_clock_ns();
	return __atomic_add_fetch(&stopped_ns, 1, __ATOMIC_SEQ_CST);
}

/*
 * sysmon sleeps before each pass; the one before is over then. Its long sleep, while all Ps idle, ends with
 * no pass.
 */
bool __wrap_note_sleep_for(struct note *n, i64 ns)
{
	bool woken;

	if (n != &sched.sysmon_note || ns > SYSMON_MAX_NS)
		return __real_note_sleep_for(n, ns);
	__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
	woken = __real_note_sleep_for(n, ns);
	while (__atomic_load_n(&is_held, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&is_asleep, 1, __ATOMIC_SEQ_CST);
		if (__atomic_exchange_n(&allowed, 0, __ATOMIC_SEQ_CST))
			break;
		sched_yield();
	}
	__atomic_store_n(&is_asleep, 0, __ATOMIC_SEQ_CST);
	return woken;
}

static unsigned passes_ended(void)
{
	return __atomic_load_n(&ended, __ATOMIC_SEQ_CST);
}

/* From now on sysmon makes no pass that it is not allowed. By the observer; returns when it sleeps. */
static void sysmon_hold(void)
{
	__atomic_store_n(&is_held, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&is_asleep, __ATOMIC_SEQ_CST))
		sched_yield();
}

static void sysmon_let_go(void)
{
	__atomic_store_n(&is_held, 0, __ATOMIC_SEQ_CST);
}

/* One pass of a sysmon that is held, from its beginning to its end. */
static void sysmon_pass(void)
{
	unsigned before = passes_ended();

	__atomic_store_n(&allowed, 1, __ATOMIC_SEQ_CST);
	while (passes_ended() == before)
		sched_yield();
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
	unsigned since; /* passes that were over */
	int stage;
};

static void read_a_pipe(void *arg)
{
	struct call *c = arg;
	char byte;

	EXPECT_EQ(grt_read(c->p.fd[0], &byte, 1), 1);
}

static void nothing(void *unused)
{
	(void)unused;
}

/* The observer makes sysmon look, twice, at a call that has work behind it. */
static bool is_taken_at_the_second_look(gotrace_scope *s, void *arg)
{
	struct gotrace_now now = gotrace_look(s);

	(void)arg;
	EXPECT(now.blocked == 0, "the P was taken before sysmon looked");
	if (now.in_syscall != 1)
		return false;
	sysmon_pass();
	EXPECT(gotrace_look(s).blocked == 0, "the P was taken by the first pass that saw the call");
	sysmon_pass();
	EXPECT(gotrace_look(s).blocked == 1, "two passes have seen the call, and left it its P");
	sysmon_let_go();
	clock_go();
	return true;
}

RUNTIME_TEST(with_work_queued_sysmon_takes_the_p_at_the_second_pass_that_sees_the_call, 1)
{
	struct call c = { .p = blocking_pipe_new() };
	gotrace_scope *s = scope_of_self();

	/* given no time that passes, and a goroutine on the queue behind the one that will call */
	clock_stop();
	sysmon_hold();
	EXPECT_EQ(grt_go(nothing, NULL), 0);
	EXPECT_EQ(grt_go(read_a_pipe, &c), 0); /* runs first */
	EXPECT(gotrace_wait_for(s, is_taken_at_the_second_look, &c, DEADLINE_NS),
	       "it never called");

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

enum stage { RUNS, CALLS, AT_ONCE, AT_9_MS };

/* Not yet taken? True: it has been left for PASSES more. */
static bool is_left_alone(const struct call *c, const struct gotrace_now *now)
{
	EXPECT(now->blocked == 0 && now->in_syscall == 1, "sysmon took a P that nobody needs, %s",
	       c->stage == AT_ONCE ? "and no time has passed" : "after 9 ms");
	return passes_ended() - c->since > PASSES;
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
		c->since = passes_ended();
		c->stage = AT_ONCE;
	} else if (c->stage == AT_ONCE && is_left_alone(c, &now)) {
		clock_put_on(RETAKE_IDLE_NS - LOOKS_NS);
		c->since = passes_ended();
		c->stage = AT_9_MS;
	} else if (c->stage == AT_9_MS && is_left_alone(c, &now)) {
		sysmon_hold();
		clock_put_on(LOOKS_NS);
		sysmon_pass();
		EXPECT(gotrace_look(s).blocked == 1,
		       "10 ms have passed, and sysmon leaves the P to the call");
		sysmon_let_go();
		clock_go();
		return true;
	}
	return false;
}

RUNTIME_TEST(without_work_sysmon_takes_the_p_at_the_first_pass_after_10_ms, 2)
{
	static const char *const never[] = {
		[RUNS] = "all others never idled",
		[CALLS] = "it never called",
		[AT_ONCE] = "sysmon looks no more",
		[AT_9_MS] = "sysmon looks no more",
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
		cmocka_unit_test(without_work_sysmon_takes_the_p_at_the_first_pass_after_10_ms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
