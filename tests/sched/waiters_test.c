/* SPDX-License-Identifier: MIT */
/*
 * waiters_test.c - C25: whatever ends a wait for the network, the count of those that wait is right
 * afterwards. Rounds of READERS waits each, by turns ended by data that the scheduler, an idle M or sysmon
 * finds, by a deadline, or by a close. GRT_LONG=1: 10^7 waits.
 */
#include "runtime_test.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

#include "books.h"

#define READERS 64
#define WAITS 20000
#define WAITS_LONG 10000000
#define TOLD_ROUNDS 128 /* of which it is looked at who found the data */
#define SOON_NS 20000
#define LIMIT_ROUNDS 50

enum way { BY_SCHEDULER, BY_IDLE_M, BY_DEADLINE, BY_CLOSE, BY_SYSMON };

static struct reader {
	int fd[2];
	enum way way;
	ssize_t result;
} reader[READERS];

static grt_waitgroup back;
static int nback;
static struct collected got;

static void read_once(void *arg)
{
	struct reader *r = arg;
	char c;

	r->result = r->way == BY_DEADLINE ? grt_read_dl(r->fd[0], &c, 1, grt_now() + SOON_NS)
					  : grt_read(r->fd[0], &c, 1);
	__atomic_add_fetch(&nback, 1, __ATOMIC_SEQ_CST);
	grt_waitgroup_done(&back);
}

static void start_all(enum way way)
{
	nback = 0;
	grt_waitgroup_add(&back, READERS);
	for (int i = 0; i < READERS; i++) {
		reader[i].way = way;
		EXPECT_EQ(grt_go(read_once, &reader[i]), 0);
	}
}

static bool are_back(void)
{
	return __atomic_load_n(&nback, __ATOMIC_SEQ_CST) == READERS;
}

static void write_all(void)
{
	for (int i = 0; i < READERS; i++)
		EXPECT_EQ(write(reader[i].fd[1], "x", 1), 1);
}

/* The numbers come again for other pipes. */
static void close_all(void)
{
	for (int i = 0; i < READERS; i++)
		EXPECT_EQ(grt_close(reader[i].fd[0]), 0);
}

static void open_all(void)
{
	for (int i = 0; i < READERS; i++)
		EXPECT_EQ(grt_pipe(reader[i].fd), 0);
}

/* Keeps its P, and does not come back to the scheduler before sysmon has polled. */
static void compute_until_polled(void)
{
	int64_t until = grt_now() + 20000000000ll;

	while (__atomic_load_n(&sched.netpoll_waiters, __ATOMIC_SEQ_CST) != 0)
		EXPECT(grt_now() < until, "sysmon never polled");
}

static sem_t asked;

/* A thread of the program's own, once everything is idle but for it: an M polls, and all others sleep. */
static void *write_when_all_sleep(void *unused)
{
	(void)unused;
	while (sem_wait(&asked) == 0) {
		while (__atomic_load_n(&sched.lastpoll, __ATOMIC_SEQ_CST) != 0 ||
		       __atomic_load_n(&sched.npidle, __ATOMIC_SEQ_CST) != sched.gomaxprocs)
			sched_yield();
		write_all();
	}
	return NULL;
}

static void writer_start(void)
{
	pthread_t t;

	EXPECT_EQ(sem_init(&asked, 0, 0), 0);
	EXPECT_EQ(pthread_create(&t, NULL, write_when_all_sleep, NULL), 0);
	EXPECT_EQ(pthread_detach(t), 0);
}

static ssize_t result_of(enum way way)
{
	return way == BY_DEADLINE ? -ETIMEDOUT : way == BY_CLOSE ? -EBADF : 1;
}

/* READERS waits, the count checked when all wait and when none does. */
static void round_of(enum way way)
{
	start_all(way);
	if (way != BY_DEADLINE)
		AWAIT_OR(waiters() == READERS, "%u are counted as waiting, %d wait", waiters(),
			 READERS);
	if (way == BY_CLOSE)
		close_all();
	else if (way == BY_IDLE_M)
		EXPECT_EQ(sem_post(&asked), 0);
	else if (way != BY_DEADLINE)
		write_all();
	if (way == BY_SYSMON)
		compute_until_polled();
	if (way == BY_SCHEDULER)
		AWAIT_OR(are_back(), "%d of %d came back", nback, READERS);
	grt_waitgroup_wait(&back);

	AWAIT_OR(waiters() == 0, "%u are counted as waiting, none does", waiters());
	for (int i = 0; i < READERS; i++)
		EXPECT_EQ(reader[i].result, result_of(way));
	if (way != BY_CLOSE)
		return;
	for (int i = 0; i < READERS; i++)
		EXPECT_EQ(grt_close(reader[i].fd[1]), 0);
	open_all();
}

static enum way way_of(int round)
{
	if (round % 64 == 63)
		return BY_SYSMON;
	if (round % 8 == 7)
		return BY_CLOSE;
	if (round % 4 == 3)
		return BY_DEADLINE;
	return round % 2 ? BY_IDLE_M : BY_SCHEDULER;
}

static void note_who(unsigned who[8])
{
	collect(&got);
	for (size_t i = 0; i < got.n; i++)
		if (got.rec[i].kind == GRT_K_netpoll_ready)
			who[got.rec[i].arg[3] & 7]++;
	got.n = 0;
}

RUNTIME_TEST(c25_the_count_of_waiters_is_right_whatever_ends_a_wait, 1)
{
	int rounds = (getenv("GRT_LONG") ? WAITS_LONG : WAITS) / READERS;
	unsigned who[8] = { 0 };

	EXPECT_EQ(grt_sink_open(KIND(netpoll_ready), 0), 0);
	open_all();
	writer_start();
	for (int i = 0; i < rounds; i++) {
		round_of(way_of(i));
		if (i < TOLD_ROUNDS)
			note_who(who);
		if (i == TOLD_ROUNDS)
			EXPECT_EQ(grt_sink_close(), 0);
	}

	EXPECT(who[GRT_POLL_SCHEDULER] && who[GRT_POLL_IDLE_M] && who[GRT_POLL_SYSMON],
	       "found by the scheduler %u, by an idle M %u, by sysmon %u", who[GRT_POLL_SCHEDULER],
	       who[GRT_POLL_IDLE_M], who[GRT_POLL_SYSMON]);
}

RUNTIME_TEST(c25_the_count_of_waiters_is_right_on_two_ps, 2)
{
	int rounds = (getenv("GRT_LONG") ? WAITS_LONG / 10 : WAITS / 4) / READERS;

	open_all();
	writer_start();
	for (int i = 0; i < rounds; i++)
		round_of(way_of(i) == BY_SYSMON ? BY_IDLE_M : way_of(i));
}

/* As if that many had waited and never been counted off: whoever waits is served all the same. */
RUNTIME_TEST(c25_near_its_limit_the_count_hides_nobody, 2)
{
	const u32 more =
		INT32_MAX - 2 * READERS; /* as a number with a sign, which I16 takes it for */

	open_all();
	__atomic_add_fetch(&sched.netpoll_waiters, more, __ATOMIC_SEQ_CST);
	for (int i = 0; i < LIMIT_ROUNDS; i++) {
		start_all(BY_IDLE_M);
		AWAIT_OR(waiters() == more + READERS, "%u are counted", waiters());
		write_all();
		grt_waitgroup_wait(&back);
		EXPECT_EQ(nback, READERS);
	}
	AWAIT_OR(waiters() == more, "%u are counted", waiters());
	__atomic_sub_fetch(&sched.netpoll_waiters, more, __ATOMIC_SEQ_CST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c25_the_count_of_waiters_is_right_whatever_ends_a_wait),
		cmocka_unit_test(c25_the_count_of_waiters_is_right_on_two_ps),
		cmocka_unit_test(c25_near_its_limit_the_count_hides_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
