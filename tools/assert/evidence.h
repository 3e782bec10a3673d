/* SPDX-License-Identifier: MIT */
/*
 * evidence.h - what a scope knows: the model, and what the model does not keep: extremes of the scope,
 * every hand-off, the last events. Predicates see nothing else; they are pure.
 *
 * Written by whoever feeds records (one thread), read by predicates on the same thread.
 */
#ifndef GOTRACE_EVIDENCE_H
#define GOTRACE_EVIDENCE_H

#include "../model/brief.h"
#include "../model/model.h"
#include "gotrace_assert.h"

#define EVIDENCE_HANDOFFS_MAX 100000u /* more in one scope are counted, and make it inconclusive */
#define EVIDENCE_EVENTS 10            /* last ones, for failure texts */
#define EVIDENCE_TEXT_BYTES 16384
#define EVIDENCE_FRAMES 64 /* of a hostage: later looks replace what the model has */
#define EVIDENCE_OBSERVERS_MAX 8

/* An M that lost its P in a call and is not back yet. */
struct evidence_block {
	uint64_t m, g, p, taken_ns, in_call_ns;
	int32_t nr;
	uint8_t by; /* of struct gotrace_handoff */
};

/* A call without a P that is over: as the probes measured it, and as a look has seen it. */
struct evidence_past {
	uint64_t m, g, ns; /* ns 0: none */
	int32_t nr;
	char call[BRIEF_BYTES], where[BRIEF_BYTES]; /* empty: no look has seen it */
};

/* How long a thread was runnable without a CPU, since the scope began. */
struct evidence_delay {
	uint64_t m, run_delay_ns, base_ns; /* base: at the first look */
};

struct evidence {
	struct model *model;
	bool has_events;  /* probes or the sink: extremes are exact */
	bool has_kernel;  /* the kernel's view is good for hostages */
	bool is_complete; /* a recording: nothing can be looked at again */
	bool is_gone;     /* the process has ended, and all it did is known */
	const char *cut;  /* why not all of the scope was seen; NULL: it was */
	const char *via;  /* "the sink" */
	uint32_t observer_tid[EVIDENCE_OBSERVERS_MAX];
	size_t nobservers;
	int own_fd; /* of this process, what a goroutine waits for that asks us; -1: none */

	struct evidence_block *block; /* now */
	size_t nblocks, blocks_cap;
	struct evidence_block *pending; /* Ps that were taken and that nobody has yet */
	size_t npending, pending_cap;
	size_t blocked_max;
	uint64_t blocked_total;       /* Ms that lost their P in the scope */
	struct evidence_block first;  /* of them, for texts */
	struct evidence_past longest; /* of those that are over, for texts */
	uint64_t blocked_base;        /* at the first snapshot, and not back yet */
	uint64_t first_ns, listed_ns; /* first snapshot; newest listing of threads */

	uint64_t threads_now, threads_max, threads_max_ns;
	uint64_t hostages;           /* rows seen, over all looks */
	struct model_thread hostage; /* the first of them */
	struct model_frame hostage_frame[EVIDENCE_FRAMES];
	size_t hostage_nframes;
	uint64_t hostage_seen_ns;

	struct gotrace_handoff *handoff;
	size_t nhandoffs, handoffs_cap;
	uint64_t handoffs_dropped;
	struct gotrace_returns returns;
	struct evidence_delay *delay;
	size_t ndelays;
	bool has_delays;

	struct grt_rec event[EVIDENCE_EVENTS]; /* a ring */
	uint64_t nevents;
	bool out_of_memory;
	char text[EVIDENCE_TEXT_BYTES];
};

bool evidence_init(struct evidence *e);
void evidence_fini(struct evidence *e);
/* A record; the model gets it, too. */
void evidence_apply(struct evidence *e, const struct grt_rec *rec);
/* A snapshot is complete and settled: extremes, and the hand-offs that ended since. */
void evidence_tick(struct evidence *e, uint64_t settle_ns);
/* Threads of the newest snapshot that are no observers. */
uint64_t evidence_threads(const struct evidence *e);

/* Who waits for a descriptor there, but for the goroutine that waits for us. */
uint64_t evidence_netpoll_parked(const struct evidence *e);

/* predicates.c: each writes e->text. */
enum gotrace_answer predicate_no_blocked_m(struct evidence *e);
enum gotrace_answer predicate_blocked_at_most(struct evidence *e, unsigned n);
enum gotrace_answer predicate_handed_off(struct evidence *e, int nr);
/* A P was taken from such a call so lately that its new M may still be on its way. */
bool predicate_handoff_is_pending(const struct evidence *e, int nr);
enum gotrace_answer predicate_handoff_within(struct evidence *e, unsigned percentile, uint64_t us);
enum gotrace_answer predicate_threads_at_most(struct evidence *e, unsigned n);
enum gotrace_answer predicate_netpoll_parked(struct evidence *e, int fd);
enum gotrace_answer predicate_no_hostage(struct evidence *e);

/* explain.c: appends to e->text. */
__attribute__((format(printf, 2, 3))) void explain(struct evidence *e, const char *fmt, ...);
void explain_reset(struct evidence *e);
/* Who is blocked now, with call, descriptor, how long, who has the P, stack. */
void explain_blocked(struct evidence *e);
void explain_thread(struct evidence *e, const struct model_thread *t);
void explain_hostage(struct evidence *e);
/* The longest call without a P that is over. */
void explain_past(struct evidence *e);
/* From whom to whom, how fast, in which call. */
void explain_handoff(struct evidence *e, const struct gotrace_handoff *h);
void explain_events(struct evidence *e);
/* "read", "foreign function", "system call 999" */
const char *explain_call_name(int32_t nr);

#endif
