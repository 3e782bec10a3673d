/* SPDX-License-Identifier: MIT */
/*
 * sums.h - what handoff_sums.c, returns.c and netpoll.c keep; for the files of this room only.
 * All of it is bounded: what has no place of its own is counted in a row for the rest.
 */
#ifndef GOTRACE_MODEL_SUMS_H
#define GOTRACE_MODEL_SUMS_H

#include "handoffs.h"
#include "netpoll.h"

/* Events that the runtime counts as well. */
enum law_count { LAW_HANDOFFS, LAW_RETAKES, LAW_BLOCKS, LAW_COUNTS };

/* The runtime's counters, read between two times, and the events seen up to each of them. */
struct law_reading {
	bool is_set, has_begin, has_end;
	uint64_t begin_ns, end_ns;
	uint64_t counter[LAW_COUNTS], at_begin[LAW_COUNTS], at_end[LAW_COUNTS];
	uint64_t moving; /* threads that may have counted what they had not told yet */
};

struct law_events {
	uint64_t seen[LAW_COUNTS];
	uint32_t snapshots;
	struct law_reading base, now;
	bool was_shed, is_shed; /* probes were taken off for a while; they are now */
};

struct handoff_sums {
	struct model_handoff_sum *row;
	size_t n, cap;
	struct model_handoff_sum interval;
	struct law_events law;
};

/* laws.c: one settled event, in order of time, before it is applied. */
void laws_note_event(struct model *m, const struct grt_rec *rec);

/* handoff_sums.c. Each adds to the row of (nr, by) and to the interval. */
void sums_add_taken(struct model *m, int32_t nr, enum model_by by, enum model_start start,
		    uint64_t detect_ns);
void sums_add_handoff(struct model *m, int32_t nr, enum model_by by, uint64_t outcome);
/* total_ns: from the start of the call; has_total false: it is not known. */
void sums_add_done(struct model *m, int32_t nr, enum model_by by, uint64_t dispatch_ns,
		   bool has_total, uint64_t total_ns);
void sums_add_return(struct model *m, int32_t nr, enum model_by by, enum grt_exit_how how,
		     uint64_t queued_ns, bool is_needless);
void sums_begin_interval(struct handoff_sums *s);
void sums_fini(struct handoff_sums *s);

/* A return that was told before the taking. */
struct early_return {
	uint64_t m, back_ns, queued_ns; /* back_ns 0: none */
	uint8_t how;
};
#define EARLY_RETURNS 2 /* more takers than that are not off the CPU at once */

/* A goroutine in a call, or one of whose calls not all has been told. */
struct call_out {
	uint64_t g;        /* 0: free place */
	uint64_t enter_ns; /* of the call: hot probes only; 0: not known */
	uint64_t lost_ns;  /* its P; 0: not, or not seen */
	uint64_t m;        /* that lost it */
	int32_t nr;
	uint8_t by;
	bool is_older; /* it was lost before the first snapshot */
	struct early_return early[EARLY_RETURNS];
};

struct returns {
	struct call_out *slot;
	uint32_t cap, n;
	uint64_t out;      /* lost_ns set and not back */
	uint64_t older;    /* back from a call whose taking was not seen */
	uint64_t twice;    /* lost a P again without having come back */
	uint64_t since_ns; /* what was lost before is older: a snapshot with all probes armed */
};

/* returns.c: events of one goroutine's call, in order of time. */
/* A snapshot, the first one since probes are armed: who is in a call without a P already. */
void returns_seed(struct model *m);
/* Probes are off: what is known will be wrong when they are back. */
void returns_forget(struct returns *r);
/* An event from before it. */
void returns_note_older(struct model *m, const struct grt_rec *rec);
void returns_enter(struct model *m, const struct grt_rec *entersyscall);
/* When the call began by a hot probe; 0: not known. */
uint64_t returns_entered(const struct model *m, uint64_t g);
/* retake, or entersyscallblock */
void returns_lost(struct model *m, uint64_t g, uint64_t from_m, uint64_t lost_ns, int32_t nr,
		  enum model_by by);
void returns_back(struct model *m, const struct grt_rec *exitsyscall_slow);
void returns_leave(struct model *m, const struct grt_rec *exitsyscall);
/* Nothing older can come: returns that still wait for their taking are given up. */
void returns_settle(struct model *m, uint64_t until_ns);
void returns_fini(struct returns *r);

struct netpoll_sums {
	struct model_netpoll_sum interval, by[NETPOLL_BYS];
	struct model_netpoll_sum *row;
	size_t n, cap;
	int32_t *index_of; /* row by descriptor + 1; 0: none */
	size_t index_cap;
	uint64_t other_before; /* waits in the row of the rest at the last tick */
	struct model_waiting *waiting;
	size_t nwaiting, waiting_cap;
	uint64_t waiting_gs, waiting_fds;
};

void netpoll_apply(struct model *m, const struct grt_rec *netpoll_run);
void netpoll_begin_interval(struct model *m);
/* A snapshot is complete: who waits now. */
void netpoll_note_snapshot(struct model *m);
void netpoll_sums_fini(struct netpoll_sums *s);

#endif
