/* SPDX-License-Identifier: MIT */
/*
 * state.h - what the model consists of; for the files of this room only.
 *
 * Records reach the model by two doors. Events wait in `pending` until a tick says that nothing
 * older can come, then they are applied in the order of their times. Snapshot rows are a story of
 * their own: they are put together in `next` from BEGIN to END and become `now` at once at END.
 */
#ifndef GOTRACE_MODEL_STATE_H
#define GOTRACE_MODEL_STATE_H

#include "ledger.h"
#include "model.h"
#include "sums.h"

#define HANDOFFS_OPEN_MAX \
	2048 /* more than there can be Ps on their way; the oldest is given up                     \
	      */

struct pending_rec {
	struct grt_rec rec;
	uint64_t seq; /* arrival: keeps records of one time in order */
};

/* Names by (what, key): text.c. */
struct text_entry;
struct texts {
	struct text_entry *slot;
	uint32_t cap, n;
	uint32_t nolder; /* names that are not the newest of their key */
	size_t heap;
	/* The name that is being put together. */
	uint32_t partial, partial_what;
	uint64_t partial_key;
	char buffer[GRT_TEXT_BYTES_MAX];
};

/* A snapshot: totals and rows. */
struct snapshot {
	struct model_snap snap;
	uint64_t look; /* its number */
	struct model_cost cost;
	struct model_limits limits;
	struct model_frame *frames;
	size_t nframes, frames_cap;
	size_t late_at; /* thread of the newest stack that came behind the END */
	struct model_g *gs;
	size_t ngs, gs_cap;
	struct model_thread *threads;
	size_t nthreads, threads_cap;
	struct model_p *ps;
	size_t nps, ps_cap;
	bool has_counts;
};

/* A hand-off of which some record is still to come. */
struct handoff_open {
	struct model_handoff h;
	bool is_block;  /* began with entersyscallblock, not with retake */
	bool has_begin; /* retake or entersyscallblock was seen */
	bool has_handoff;
	bool has_done;
};

/* Sums over all events, for the laws. */
struct event_sums {
	uint64_t retakes_to_hand_off; /* by sysmon or kernel: a hand-off must follow */
	uint64_t handoffs_of_retake;  /* whose retake was seen */
	uint64_t handoffs_orphaned;   /* of cause retake, whose retake was not seen */
	uint64_t begun_twice;         /* a second retake of a P whose hand-off is still to come */
};

/* What the law on blocked Ms needs of a snapshot that is gone. */
struct law_point {
	bool is_set;
	uint64_t taken, returned, blocked;
};

struct model {
	struct snapshot now, next;
	bool has_now, is_assembling;
	uint64_t looks;    /* snapshots begun */
	uint64_t first_ns; /* first snapshot: probes are armed one by one, before it not all are */
	struct model_snap before;
	bool has_before;

	struct pending_rec *pending;
	size_t npending, pending_cap;
	uint64_t seq, settled_ns, newest_ns;
	uint64_t oldest_ns; /* of what is pending */
	bool is_told;       /* a tick has ended the interval; views have been shown it */

	struct model_rates rates, totals;
	struct model_handoff *done; /* of this interval */
	size_t ndone, done_cap;
	struct handoff_sums handoff_sums;
	struct returns returns;
	struct netpoll_sums netpoll;
	struct blocks blocks;
	struct ledger ledger;
	struct handoff_open open[HANDOFFS_OPEN_MAX]; /* oldest first */
	struct grt_rec call; /* the newest SWITCH_OUT: of the retake that comes next */
	size_t nopen;
	struct event_sums sums;

	struct law_point law[3]; /* of the last snapshots, newest first */
	uint64_t lost[MODEL_LOSSES];
	struct texts texts;
};

/* Room for one more element; false when there is no memory. */
bool array_reserve(void **array, size_t *cap, size_t n, size_t bytes);

/* handoffs.c: one settled event, in order of time. */
void handoffs_apply(struct model *m, const struct grt_rec *rec);
/* snapshot.c: one snapshot record, in order of arrival. */
void snapshot_apply(struct model *m, const struct grt_rec *rec);
/* text.c: a piece of a name, in order of arrival. */
void text_apply(struct model *m, const struct grt_rec *rec);
/* When the thing that a key named at that look took the place of another one; 0: it did not. */
uint64_t text_renamed_ns(const struct model *m, enum grt_text what, uint64_t key, uint64_t look);
/* A snapshot is complete: older names that no thread in it needs go. */
void texts_forget(struct model *m);
void texts_fini(struct texts *t);
/* laws.c: a snapshot is complete. */
void laws_note_snapshot(struct model *m);
/* A recording ends here for want of room. */
void laws_note_full(struct model *m);

#endif
