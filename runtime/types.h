/* SPDX-License-Identifier: MIT */
/*
 * types.h - G, M, P and sched. Nothing executes here.
 *
 * Every shared field carries the letter of what protects it:
 *
 *   I   set once before the struct is visible to others, constant after
 *   S   sched.lock
 *   P   the M that owns this P (transfer by sched.lock, by nextp + note, or by a won take)
 *   M   its own M only
 *   G   whoever owns the G: its M while running, the waker while in transit, the queue's lock
 *   A   atomic, any thread
 *   W   written by one (named) thread, read by any, as an atomic word
 *   T   the take protocol of take.h
 *   L   the lock named in the comment
 *   Y   sysmon only
 *
 * A struct g, m or p is type-stable: once made it is never unmapped and stays that type, so that
 * an outside reader, sysmon or a late waker may always look.
 */
#ifndef GRT_TYPES_H
#define GRT_TYPES_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "context.h"
#include "trace_abi.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t i32;
typedef int64_t i64;

struct g;
struct m;
struct p;

/* lock.h */
struct lock {
	u32 word; /* A  0 free, 1 held, 2 held and wanted */
#ifdef GRT_DEBUG
	u32 rank;           /* I */
	const void *holder; /* A  a word of the thread that holds it */
#endif
};

/* One-shot wake-up between exactly one sleeper and one waker; lock.h. */
struct note {
	u32 word; /* A  0 clear, 1 signalled */
};

/* timer.h. A timer belongs to the heap of one P from arming until it fires or is stopped. */
struct timer {
	i64 when_ns; /* L  heap's lock while armed */
	void (*fn)(void *arg, u64 seq,
		   i64 now); /* I  while armed; runs without locks, on an M with a P */
	void *arg;           /* I  while armed */
	u64 seq;             /* I  while armed; lets fn tell a stale firing */
	struct p *p;         /* L  heap it is on; NULL: not armed. See timer.c */
	u32 slot;            /* L  heap's lock: index in the heap */
};

struct timer_heap {
	struct lock lock;
	struct timer **slot; /* L  4-ary heap by when_ns */
	u32 len, cap;        /* L */
	i64 first_ns;        /* W  (under the lock) earliest when, 0 = none */
};

/* Intrusive FIFO of Gs linked by schedlink. */
struct gqueue {
	struct g *head, *tail;
	u32 size;
};

/* runq.h */
struct runq {
	u32 head;                  /* A  consumers, owner and thieves, by CAS */
	u32 tail;                  /* W  owner only, store-release */
	struct g *next;            /* A  runnext: owner stores by CAS, thieves take by CAS */
	struct g *ring[RUNQ_SIZE]; /* A */
};

struct stack {
	char *lo; /* I  lowest usable byte; the guard is below */
	char *hi; /* I  one past the highest usable byte */
};

struct g {
	u64 goid;              /* I  per incarnation; never reused */
	u32 status;            /* A  enum grt_g_status; transitions in sched.h */
	u32 waitreason;        /* G  enum waitreason: last reason, cleared at exit */
	i32 wait_fd;           /* G  descriptor waited for, else -1 */
	u32 wait_mode;         /* G  GRT_MODE_* waited for */
	u64 wait_word;         /* G  what the word says when it parks: netpoll.h */
	void *wait_dir;        /* A  direction of a descriptor in whose queue it is, or was */
	i32 saved_errno;       /* G  errno of the goroutine while it is not running */
	struct m *m;           /* G  M that runs it, else NULL */
	struct m *lockedm;     /* G  M it is locked to */
	u32 nlocked;           /* G  depth of grt_lock_os_thread */
	bool is_system;        /* I  does not count for deadlock or the user */
	bool woken_by_timer;   /* G */
	struct g *schedlink;   /* G  next on the one queue that holds it */
	struct context ctx;    /* G  where to resume */
	struct stack stack;    /* I */
	void (*fn)(void *arg); /* G */
	void *arg;             /* G */
	i64 ready_ns;          /* G  when it was queued by a slow exit; 0 otherwise */
	i64 net_parked_ns;     /* G  parked on wait_fd since, while netpoll_run is armed; else 0 */
	i64 net_polled_ns;     /* G  found ready, by whoever holds it between poll and queue */
	u32 net_polled_by;     /* G  enum grt_netpoll_by */
	u64 wake_value;        /* G  set by who readies it; meaning belongs to the pair */
	struct timer timer;    /* sleep */
	void *fiber;           /* G  sanitizer's idea of this stack */
	size_t index;          /* I  in allgs */
#ifdef GRT_DEBUG
	u32 runq_at; /* G  where in a ring it was put: I20 */
#endif
};

struct m {
	/* What outside readers and takers see; entering and leaving a call touches these lines only. */
	u64 call;            /* W  M; see take.h */
	u64 take;            /* T */
	struct p *p;         /* W  M  (the taker never writes it) */
	struct g *curg;      /* W  M */
	i64 call_nr;         /* W  M  syscall number, GRT_NR_FOREIGN */
	u64 call_arg;        /* W  M  first argument, or the foreign function */
	u64 call_pc;         /* W  M  where user code made the call */
	u64 call_sp;         /* W  M */
	u64 call_fp;         /* W  M */
	u32 call_nested;     /* M  calls made from inside a foreign call: no-ops */
	u64 id;              /* I  per incarnation; never reused */
	i32 tid;             /* I  in the innermost pid namespace; 0 until the thread runs */
	u32 status;          /* W  M  enum grt_m_status (set to IDLE under S) */
	i64 status_since_ns; /* W  M  for POLLING, IDLE and LOCKED; 0 otherwise */

	/* Scheduler's own. */
	struct g *lockedg;    /* M  G that is locked to this M */
	struct p *nextp;      /* S  or the waker's until the note: P to wire when woken */
	struct p *oldp;       /* M  P lost in the call it returns from */
	struct note park;     /* idle or locked: where it sleeps */
	struct m *schedlink;  /* S  next and */
	struct m *schedprev;  /* S  previous idle M; also the free list of slots */
	i64 idle_since_ns;    /* S */
	bool spinning;        /* M  (or who starts it, before the note) */
	bool must_exit;       /* W  S, before the note: leave instead of taking a P */
	bool blocked_in_note; /* W  M  for scheddetail */
	u32 nlocks;           /* M  runtime locks held: no park while > 0 */
	u64 rng;              /* M  */
	struct context g0;    /* M  scheduler's context while a G runs */
	bool (*park_unlock)(struct g *, void *);    /* M  g0 runs it after the G is waiting */
	void *park_arg;                             /* M */
	struct g *(*after)(struct m *, struct g *); /* M  what g0 does with the G that switched to
						       it; returns a G to go on with, or NULL */
	u64 handoff_from;  /* M  (or the waker's): id of the M whose P nextp was, GRT_NO_ID else */
	i64 thread_ns;     /* I  when the thread was asked for */
	pthread_t thread;  /* I */
	void *g0_fiber;    /* M  sanitizer's idea of the system stack */
	void *g0_stack_lo; /* I */
	size_t g0_stack_size; /* I */
#ifdef GRT_DEBUG
	u64 p_words; /* M  p_owner_words of its P when it went into its call: I9 */
	bool untold; /* M  has armed an earliest timer, and not told the poller yet: I15 */
#endif

	/* Last, since they stay when the slot gets a new thread. */
	struct sink_ring *sink; /* W  sink.c */
	u32 index;              /* I  slot in allm */
};

struct p {
	u32 id;          /* I */
	u32 status;      /* A  enum grt_p_status */
	struct m *m;     /* W  owner of the P */
	struct p *link;  /* S  idle list */
	u32 schedtick;   /* W  P  ++ per execute that does not inherit the time slice */
	u32 preempt;     /* A  sysmon asks for a yield at the next runtime call */
	u64 syscalltick; /* W  P  slow paths and scheddetail */
	struct {
		u32 schedtick;
		struct m *m;
		u64 call;
		i64 sched_ns;
		i64 call_ns;
	} seen; /* Y  what sysmon saw last, and since when */
	struct runq runq;
	struct timer_heap timers;
	struct gqueue gfree;     /* P  dead Gs with their stacks */
	u64 goid_next, goid_end; /* P  ids reserved for this P */
	u64 g_made;              /* W  P */
	u64 g_ended;             /* W  P */
	u32 rng;                 /* P */
#ifdef GRT_DEBUG
	u32 unfair; /* P  time slices since a look at the global queue: I20 */
	u32 passed; /* A  yield points where a G looked and did not yield: I21 */
	struct {
		u32 schedtick, call_passes;
		struct m *m;
		u64 call;
		i64 sched_ns, call_ns;
		bool is_asked;    /* to yield, in this time slice */
		u32 passed_asked; /* `passed` when it was */
	} watched;                /* Y  as seen, but kept by the check of I12 and I21 */
#endif
};

struct sched {
	struct lock lock;
	i64 start_ns;   /* I */
	u32 gomaxprocs; /* I */
	i64 maxmcount;  /* S */

	struct m *midle;      /* S  LIFO; tail is the longest idle */
	struct m *midle_tail; /* S */
	u32 nmidle;           /* S  read racily by traces */
	i32 nmidlelocked;     /* S  goes below 0 while an M is on its way: mset_pretend_running */
	i64 mnext;            /* S  ids given out so far */
	i64 nmfreed;          /* S */
	i64 nmsys;            /* S */
	u32 allm_len;         /* W  S */
	struct m *mfree;      /* S  free slots of allm */

	struct p *pidle;  /* S  LIFO */
	u32 npidle;       /* A  written under S */
	u32 nmspinning;   /* A */
	u32 needspinning; /* A  written under S */

	struct gqueue runq; /* S  global queue; size read racily */

	struct lock g_lock;
	struct gqueue gfree; /* L g_lock */
	u64 goid_next;       /* A */
	u64 allg_len;        /* W  g_lock */
	u64 g_made_ext;      /* A  made by threads without a P */

	i64 lastpoll;        /* A  when the network was polled last; 0: an M blocks in the poll */
	i64 poll_until;      /* A  when the blocking poll will return by itself; 0: never */
	u32 polling_net;     /* A  somebody polls without blocking right now */
	u32 netpoll_waiters; /* A */
	i32 epfd;            /* I  after netpoll_init; -1 before */

	u32 sysmonwait;        /* S  sysmon sleeps until a P is taken from the idle list */
	bool sysmon_signalled; /* S  its note is set */
	struct note sysmon_note;
	u32 main_done;  /* A */
	i32 main_value; /* I  once main_done */
	u32 is_running; /* A  grt_run has started, this process is not a fork's child */
	u32 has_foreign_caller; /* A  a thread the runtime does not own has called in: no deadlock verdict */
	i64 idle_exit_ns; /* I  how long an M beyond P + IDLE_M_SPARE stays idle */

	struct {
		u64 handoff, retake, exit_slow, block, m_new, m_exit;
	} count; /* A  exact, for the laws of the tracer */
#ifdef GRT_DEBUG
	u32 timers_untold; /* A  Ms that have armed an earliest timer, and not told the poller: I15 */
	u32 breaks;        /* A  netpoll_breaks so far: I15 */
#endif
};

/* Threads that only watch (observer.h). Readers from outside leave them out of what they count. */
struct observers {
	i32 tid[OBSERVERS_MAX]; /* A  0: free */
};

extern struct observers observers;
extern struct sched sched;
extern struct m **allm;  /* I  table; entries set once */
extern struct p **allp;  /* I */
extern struct g **allgs; /* I  table; entries set once */

enum waitreason { WAIT_NONE, WAIT_IO, WAIT_SLEEP, WAIT_MUTEX, WAIT_WAITGROUP, WAIT_REASONS };
extern const char *const waitreason_text[WAIT_REASONS]; /* Go's words */

#endif
