/* SPDX-License-Identifier: MIT */
/*
 * gotrace_assert.h - assertions about goroutine runtimes, for integration tests: "this handler pins no
 * thread", "the P was handed off". What @ShouldNotPin is to the JVM.
 *
 * A scope watches a process from begin to end; a check asks what happened in it. There are three
 * answers: holds, violated, inconclusive. Inconclusive is what cannot be told: records were lost, there
 * are fewer samples than a percentile needs, or the machine was so busy that a bound broke only because
 * the taker waited for a CPU. It is never a pass.
 *
 * With cmocka (include <cmocka.h> first) the assert_* macros fail the test, or skip it with the reason;
 * without, they print and abort. gotrace_check_* return the answer and leave the text to the caller.
 *
 * A scope belongs to the thread or goroutine that began it. In a goroutine every function here that
 * waits parks the goroutine and blocks no M; elsewhere it blocks the thread. What observes is a thread of
 * its own; it is left out of every count, and keeps no deadlock from being found.
 */
#ifndef GOTRACE_ASSERT_H
#define GOTRACE_ASSERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GOTRACE_API __attribute__((visibility("default")))

enum gotrace_answer { GOTRACE_HOLDS = 0, GOTRACE_VIOLATED = 1, GOTRACE_INCONCLUSIVE = 2 };

/* Who is watched, and how. */
enum gotrace_via {
	GOTRACE_VIA_SINK = 1, /* ourselves, by libgrt's own sink: no root, no BPF */
	GOTRACE_VIA_BPF = 2,  /* a process, by probes */
	GOTRACE_VIA_FILE = 3, /* what `gotrace record` wrote; the scope is all of it */
};
struct gotrace_target {
	enum gotrace_via via;
	pid_t pid;
	const char *path;
};
GOTRACE_API struct gotrace_target gotrace_self(void);         /* by the sink */
GOTRACE_API struct gotrace_target gotrace_process(pid_t pid); /* by BPF; a child, or any other */
GOTRACE_API struct gotrace_target gotrace_recording(const char *path);

/* What a test needs; where it is not there, begin says why, and the test is to be skipped. */
#define GOTRACE_NEEDS_KERNEL 1u /* the kernel's view: hostages */

typedef struct gotrace_scope gotrace_scope;

/*
 * Begin to watch. NULL: not possible here; gotrace_why() says why. The first snapshot has been taken when
 * this returns: what comes afterwards is in the scope. One scope by the sink at a time.
 */
GOTRACE_API gotrace_scope *gotrace_scope_begin(struct gotrace_target target, unsigned needs);
/* Stop, and free it. NULL is legal. */
GOTRACE_API void gotrace_scope_end(gotrace_scope *s);
/* Why the last begin of this thread failed. */
GOTRACE_API const char *gotrace_why(void);
/* What the last check found: one line, then the evidence. Valid until the next check of the scope. */
GOTRACE_API const char *gotrace_text(const gotrace_scope *s);

/* No M blocked in the scope, nor does one now: nobody lost a P in a call. */
GOTRACE_API enum gotrace_answer gotrace_check_no_blocked_m(gotrace_scope *s);
/* At no moment of the scope were more than n Ms blocked. */
GOTRACE_API enum gotrace_answer gotrace_check_blocked_at_most(gotrace_scope *s, unsigned n);
/*
 * A call of this number (SYS_read; GOTRACE_FOREIGN: a foreign C function) lost its P in the scope, and
 * the P went to another M, or idled with nothing to run.
 */
#define GOTRACE_FOREIGN (-1)
GOTRACE_API enum gotrace_answer gotrace_check_handed_off(gotrace_scope *s, int nr);
/*
 * The percentile (1 to 100) of what hand-offs took, from the start of the call (its sleep, or sysmon's
 * first look at it, whatever is known) until the new M had the P, is at most `us`. Needs 100 / (100 -
 * percentile) hand-offs, e.g. 100 for the 99th; for 100, the maximum, one.
 */
GOTRACE_API enum gotrace_answer gotrace_check_handoff_within_us(gotrace_scope *s,
								unsigned percentile, uint64_t us);
/* At no moment of the scope had the process more than n threads; observers are not counted. */
GOTRACE_API enum gotrace_answer gotrace_check_threads_at_most(gotrace_scope *s, unsigned n);
/* A goroutine waits for this descriptor in the netpoller now. */
GOTRACE_API enum gotrace_answer gotrace_check_netpoll_parked(gotrace_scope *s, int fd);
/* At no look in the scope did an M hold a P while it slept outside of any call. NEEDS_KERNEL. */
GOTRACE_API enum gotrace_answer gotrace_check_no_hostage(gotrace_scope *s);

/*
 * Wait until the predicate is true, or the deadline (ns from now) has passed. True: it came true. It is
 * asked at once, whenever the runtime has told of something, and else every 2 ms, since what it looks at
 * may be a variable of the test. A check or a look in it takes 10 ms: for so long records may be on their
 * way. It may call any check of this scope and the functions below; it runs on the observer's thread, so
 * that it must not call the runtime. A goroutine that waits is parked.
 */
typedef bool (*gotrace_predicate)(gotrace_scope *s, void *arg);
GOTRACE_API bool gotrace_wait_for(gotrace_scope *s, gotrace_predicate is_true, void *arg,
				  int64_t deadline_ns);

/* Now, as of a fresh look; of a process that has ended, zeros; of a recording, its last look. */
struct gotrace_now {
	unsigned threads, blocked, in_syscall, hostage, running, spinning, polling, idle, locked;
	unsigned procs_idle; /* Ps that nobody has; the one of a thread that is being made is not */
	uint64_t goroutines;
	uint64_t netpoll_parked; /* goroutines that wait for a descriptor; who waits for this look is none */
};
GOTRACE_API struct gotrace_now gotrace_look(gotrace_scope *s);

/* One hand-off of a P, for checks of one's own. Times: CLOCK_MONOTONIC ns, 0: not known. */
struct gotrace_handoff {
	uint64_t start_ns;       /* of the call, its sleep, or sysmon's first look */
	uint64_t taken_ns;       /* the P was taken, or given up */
	uint64_t done_ns;        /* the new M had it; 0: it idled */
	int64_t p, from_m, to_m; /* -1: none */
	uint64_t g;
	int nr; /* of the call, GOTRACE_FOREIGN, -2: none */
	enum { GOTRACE_BY_SYSMON = 1, GOTRACE_BY_KERNEL = 2, GOTRACE_BY_SELF = 5 } by;
	enum {
		GOTRACE_HANDOFF_WOKE = 1,     /* an idle M was woken: there was work for the P */
		GOTRACE_HANDOFF_MADE = 2,     /* a thread was made for it */
		GOTRACE_HANDOFF_IDLED = 3,    /* nothing to do: the P is idle */
		GOTRACE_HANDOFF_SPINNING = 4, /* an M looks for work, since no other did */
		GOTRACE_HANDOFF_POLLER =
			5, /* an M was started to poll the network, since no other did */
	} outcome;
	bool made_thread; /* whatever the outcome */
};
/* Hand-offs of the scope so far, oldest first; valid until the next call with this scope. */
GOTRACE_API size_t gotrace_handoffs(gotrace_scope *s, const struct gotrace_handoff **ret);
/* Goroutines that came back from a call whose P was gone, by the way back. */
struct gotrace_returns {
	uint64_t old_p, idle_p, queued;
};
GOTRACE_API struct gotrace_returns gotrace_returned(gotrace_scope *s);

/* What the assert_* macros do with an answer. */
#ifdef CMOCKA_H_
#define GOTRACE_ASSERT_FAIL(text)              \
	do {                                   \
		/* cmocka would cut it */      \
		fprintf(stderr, "%s\n", text); \
		fail();                        \
	} while (0)
#define GOTRACE_ASSERT_SKIP(text)                          \
	do {                                               \
		print_message("inconclusive: %s\n", text); \
		skip();                                    \
	} while (0)
#else
#define GOTRACE_ASSERT_FAIL(text)                                         \
	do {                                                              \
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, text); \
		abort();                                                  \
	} while (0)
#define GOTRACE_ASSERT_SKIP(text)                                                       \
	do {                                                                            \
		fprintf(stderr, "%s:%d: inconclusive: %s\n", __FILE__, __LINE__, text); \
		exit(77);                                                               \
	} while (0)
#endif
#define gotrace_assert_that(scope, answer)                        \
	do {                                                      \
		enum gotrace_answer gotrace_answer_ = (answer);   \
		if (gotrace_answer_ == GOTRACE_VIOLATED)          \
			GOTRACE_ASSERT_FAIL(gotrace_text(scope)); \
		else if (gotrace_answer_ == GOTRACE_INCONCLUSIVE) \
			GOTRACE_ASSERT_SKIP(gotrace_text(scope)); \
	} while (0)

#define assert_no_blocked_m(s) gotrace_assert_that(s, gotrace_check_no_blocked_m(s))
#define assert_blocked_at_most(s, n) gotrace_assert_that(s, gotrace_check_blocked_at_most(s, n))
#define assert_handed_off(s, nr) gotrace_assert_that(s, gotrace_check_handed_off(s, nr))
#define assert_handoff_within_us(s, percentile, us) \
	gotrace_assert_that(s, gotrace_check_handoff_within_us(s, percentile, us))
#define assert_threads_at_most(s, n) gotrace_assert_that(s, gotrace_check_threads_at_most(s, n))
#define assert_netpoll_parked(s, fd) gotrace_assert_that(s, gotrace_check_netpoll_parked(s, fd))
#define assert_no_hostage(s) gotrace_assert_that(s, gotrace_check_no_hostage(s))

#ifdef __cplusplus
}
#endif

#endif
