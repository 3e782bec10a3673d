/* SPDX-License-Identifier: MIT */
/* handoff_test.c - a P leaves its M in a blocking call, another M runs it, and the G comes back. */
#include "runtime_test.h"

#include <sys/syscall.h>
#include <time.h>

#include "../../runtime/pset.h"

static struct collected got;
static int finished;

static void reader(void *arg)
{
	struct blocking_pipe *p = arg;
	char c;

	EXPECT_EQ(grt_read(p->fd[0], &c, 1), 1);
	__atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

static void release(struct blocking_pipe *p, int n)
{
	while (n-- > 0)
		EXPECT_EQ(write(p->fd[1], "x", 1), 1);
}

/* Is there a hand-off with this cause, and which outcome had the first one? */
static const struct grt_rec *handoff_with_cause(unsigned cause)
{
	for (size_t i = 0; i < got.n; i++)
		if (got.rec[i].kind == GRT_K_handoff && got.rec[i].arg[3] == cause)
			return &got.rec[i];
	return NULL;
}

RUNTIME_TEST(a_p_in_a_blocking_call_runs_others_on_another_m, 1)
{
	struct blocking_pipe p = blocking_pipe_new();
	const struct grt_rec *retake, *handoff, *done;

	/* given one P and a goroutine about to block in a read */
	EXPECT_EQ(grt_sink_open(KIND(retake) | KIND(handoff) | KIND(handoff_done) | KIND(m_new) |
					KIND(exitsyscall_slow),
				0),
		  0);
	EXPECT_EQ(grt_go(reader, &p), 0);

	/* when it blocks, this goroutine goes on: the P must have changed hands */
	AWAIT((collect(&got), collected_count(&got, GRT_K_handoff_done)) >= 1 &&
	      handoff_with_cause(GRT_HANDOFF_RETAKE));

	/* then sysmon took it, handed it to an M, and that M has it */
	retake = collected_find(&got, GRT_K_retake, 0);
	handoff = handoff_with_cause(GRT_HANDOFF_RETAKE);
	done = collected_find(&got, GRT_K_handoff_done, 0);
	EXPECT(retake && handoff && done, "retake, hand-off and its end are told");
	EXPECT_EQ(retake->arg[4], GRT_BY_SYSMON);
	EXPECT(handoff->arg[4] == GRT_HANDOFF_MADE || handoff->arg[4] == GRT_HANDOFF_WOKE,
	       "outcome %lu", (unsigned long)handoff->arg[4]);
	EXPECT_EQ(handoff->arg[1], retake->arg[1]);
	EXPECT_EQ(done->arg[2], handoff->arg[5]);
	EXPECT(retake->time_ns <= done->time_ns, "in the order of time");

	/* and the reader comes back by a slow way */
	release(&p, 1);
	AWAIT(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == 1);
	AWAIT((collect(&got), collected_count(&got, GRT_K_exitsyscall_slow)) == 1);
}

static void block_eagerly(void *arg)
{
	struct blocking_pipe *p = arg;
	char c;

	EXPECT_EQ(grt_syscall_block(SYS_read, p->fd[0], (long)&c, 1, 0, 0, 0), 1);
	__atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

RUNTIME_TEST(a_call_known_to_block_gives_its_p_up_by_itself, 1)
{
	struct blocking_pipe p = blocking_pipe_new();

	EXPECT_EQ(grt_sink_open(KIND(retake) | KIND(handoff) | KIND(entersyscallblock), 0), 0);
	EXPECT_EQ(grt_go(block_eagerly, &p), 0);

	AWAIT((collect(&got), collected_count(&got, GRT_K_entersyscallblock)) == 1);
	AWAIT((collect(&got), handoff_with_cause(GRT_HANDOFF_SELF)) != NULL);

	EXPECT_EQ(collected_count(&got, GRT_K_retake), 0);
	release(&p, 1);
	AWAIT(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == 1);
}

static long sleep_in_c(void *arg)
{
	struct blocking_pipe *p = arg;
	char c;

	/* A plain read: nothing of the runtime is told, but that C code runs. */
	return read(p->fd[0], &c, 1);
}

static void call_foreign(void *arg)
{
	EXPECT_EQ(grt_blocking_call(sleep_in_c, arg), 1);
	__atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
}

RUNTIME_TEST(foreign_code_is_handed_off_like_a_syscall, 1)
{
	struct blocking_pipe p = blocking_pipe_new();

	EXPECT_EQ(grt_sink_open(KIND(retake) | KIND(cgo_call) | KIND(netpoll_park), 0), 0);
	EXPECT_EQ(grt_go(call_foreign, &p), 0);

	AWAIT((collect(&got), collected_count(&got, GRT_K_retake)) == 1);

	EXPECT_EQ(collected_count(&got, GRT_K_cgo_call), 1);
	EXPECT_EQ(collected_count(&got, GRT_K_netpoll_park), 0);
	release(&p, 1);
	AWAIT(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == 1);
}

#define BLOCKERS 97

RUNTIME_TEST(threads_grow_past_gomaxprocs_and_the_books_agree, 2)
{
	static struct blocking_pipe p[BLOCKERS];
	size_t taken, slow;
	u64 made;

	EXPECT_EQ(grt_sink_open(KIND(retake) | KIND(handoff) | KIND(exitsyscall_slow), 0), 0);
	for (int i = 0; i < BLOCKERS; i++) {
		p[i] = blocking_pipe_new();
		EXPECT_EQ(grt_go(reader, &p[i]), 0);
	}

	/* when all have lost their P */
	AWAIT((collect(&got), collected_count(&got, GRT_K_retake) -
				      collected_count(&got, GRT_K_exitsyscall_slow)) == BLOCKERS);
	made = __atomic_load_n(&sched.count.m_new, __ATOMIC_SEQ_CST);
	EXPECT(made > BLOCKERS, "%lu threads", (unsigned long)made);

	/* then each comes back once, and every retake that was handed off is told */
	for (int i = 0; i < BLOCKERS; i++)
		release(&p[i], 1);
	AWAIT(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == BLOCKERS);
	collect(&got);
	taken = collected_count(&got, GRT_K_retake);
	slow = collected_count(&got, GRT_K_exitsyscall_slow);
	EXPECT_EQ(slow, taken);
	EXPECT_EQ(collected_count(&got, GRT_K_LOST), 0);
}

/* How did the first slow exit come back? */
static unsigned way_back(void)
{
	const struct grt_rec *r;

	AWAIT((collect(&got), collected_count(&got, GRT_K_exitsyscall_slow)) >= 1);
	r = collected_find(&got, GRT_K_exitsyscall_slow, 0);
	return (unsigned)r->arg[3];
}

RUNTIME_TEST(with_an_idle_p_the_g_comes_back_on_it, 2)
{
	struct blocking_pipe p = blocking_pipe_new();
	unsigned how;

	EXPECT_EQ(grt_sink_open(KIND(retake) | KIND(exitsyscall_slow), 0), 0);
	EXPECT_EQ(grt_go(reader, &p), 0);
	AWAIT((collect(&got), collected_count(&got, GRT_K_retake)) >= 1);

	/* when the other P is idle: this goroutine keeps its own */
	while (sched_npidle() == 0)
		;
	release(&p, 1);
	while (__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == 0)
		;
	how = way_back();

	EXPECT(how == GRT_EXIT_IDLE_P || how == GRT_EXIT_OLD_P, "how is %u", how);
}

RUNTIME_TEST(without_a_p_the_g_is_queued, 1)
{
	struct blocking_pipe p = blocking_pipe_new();

	EXPECT_EQ(grt_sink_open(KIND(retake) | KIND(exitsyscall_slow) | KIND(m_park), 0), 0);
	EXPECT_EQ(grt_go(reader, &p), 0);
	AWAIT((collect(&got), collected_count(&got, GRT_K_retake)) >= 1);

	/* when the only P is busy: this goroutine does not let go of it until the other thread sleeps */
	release(&p, 1);
	while (collect(&got), collected_count(&got, GRT_K_m_park) == 0)
		;
	AWAIT(__atomic_load_n(&finished, __ATOMIC_SEQ_CST) == 1);

	EXPECT_EQ(way_back(), GRT_EXIT_QUEUED);
	EXPECT(collected_find(&got, GRT_K_exitsyscall_slow, 0)->arg[4] > 0,
	       "it waited in the queue");
}

RUNTIME_TEST(a_short_call_keeps_its_p, 1)
{
	EXPECT_EQ(grt_sink_open(KIND(exitsyscall), 0), 0);
	EXPECT(grt_syscall(SYS_getppid, 0, 0, 0, 0, 0, 0) > 0, "a parent");
	collect(&got);
	EXPECT_EQ(collected_count(&got, GRT_K_exitsyscall), 1);
	EXPECT_EQ(collected_find(&got, GRT_K_exitsyscall, 0)->arg[3], GRT_EXIT_KEPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_p_in_a_blocking_call_runs_others_on_another_m),
		cmocka_unit_test(a_call_known_to_block_gives_its_p_up_by_itself),
		cmocka_unit_test(foreign_code_is_handed_off_like_a_syscall),
		cmocka_unit_test(threads_grow_past_gomaxprocs_and_the_books_agree),
		cmocka_unit_test(with_an_idle_p_the_g_comes_back_on_it),
		cmocka_unit_test(without_a_p_the_g_is_queued),
		cmocka_unit_test(a_short_call_keeps_its_p),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
