/* SPDX-License-Identifier: MIT */
/* records.h - synthetic records for tests of model and views: each function makes one and applies
 * it. */
#ifndef TEST_RECORDS_H
#define TEST_RECORDS_H

#include <string.h>

#include "../../tools/model/model.h"

#define MS_NS 1000000ull
#define SEC_NS 1000000000ull

static inline void rec_apply(struct model *m, uint64_t time_ns, uint16_t kind, uint64_t a,
			     uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	struct grt_rec rec = { .time_ns = time_ns, .kind = kind, .arg = { a, b, c, d, e, f } };

	model_apply(m, &rec);
}

/* Of one thread. */
static inline void rec_apply_of(struct model *m, uint64_t time_ns, uint32_t tid, uint16_t kind,
				uint64_t a)
{
	struct grt_rec rec = { .time_ns = time_ns, .tid = tid, .kind = kind, .arg = { a } };

	model_apply(m, &rec);
}

static inline void rec_retake(struct model *m, uint64_t t, uint64_t p, uint64_t from_m,
			      uint64_t in_call_ns, uint64_t by, uint64_t asleep_since_ns)
{
	if (asleep_since_ns)
		rec_apply(m, t, GRT_K_SWITCH_OUT, from_m, GRT_CALL_IN, 0, 7, asleep_since_ns, 0);
	rec_apply(m, t, GRT_K_retake, p, from_m, 100 + from_m, in_call_ns, by, 0);
}

static inline void rec_block(struct model *m, uint64_t t, uint64_t p, uint64_t from_m)
{
	rec_apply(m, t, GRT_K_entersyscallblock, 100 + from_m, from_m, p, 0, 0, 0);
}

static inline void rec_handoff(struct model *m, uint64_t t, uint64_t p, uint64_t from_m,
			       uint64_t cause, uint64_t outcome, uint64_t to_m)
{
	rec_apply(m, t, GRT_K_handoff, p, from_m, 100 + from_m, cause, outcome, to_m);
}

static inline void rec_done(struct model *m, uint64_t t, uint64_t p, uint64_t from_m, uint64_t to_m)
{
	rec_apply(m, t, GRT_K_handoff_done, p, from_m, to_m, 0, 0, 0);
}

static inline void rec_lost(struct model *m, enum grt_loss reason, uint64_t n)
{
	rec_apply(m, 1, GRT_K_LOST, reason, n, 0, 0, 0, 0);
}

/* flags: GRT_RF_ANOTHER or 0 */
static inline void rec_text_at(struct model *m, uint64_t t, uint16_t flags, enum grt_text what,
			       uint64_t key, const char *text)
{
	size_t bytes = strlen(text), offset = 0;

	do {
		size_t part = bytes - offset < GRT_TEXT_PIECE ? bytes - offset : GRT_TEXT_PIECE;
		struct grt_rec rec = { .time_ns = t, .kind = GRT_K_TEXT, .flags = flags };

		rec.arg[0] = (uint64_t)what | (uint64_t)bytes << 16 | (uint64_t)offset << 32;
		rec.arg[1] = key;
		memcpy(&rec.arg[2], text + offset, part);
		model_apply(m, &rec);
		offset += part;
	} while (offset < bytes);
}

static inline void rec_text(struct model *m, enum grt_text what, uint64_t key, const char *text)
{
	rec_text_at(m, 1, 0, what, key, text);
}

/* One thread of a snapshot. */
struct row {
	int64_t m, p; /* -1: none */
	uint32_t tid;
	uint64_t g;
	enum grt_mstate state;
	char kernel_state;
	uint16_t attr;
	int32_t nr;
	uint64_t since_ns, arg;
	uint16_t flags;       /* GRT_RF_* */
	const uint64_t *args; /* six, or NULL */
};

static inline void rec_row(struct model *m, uint64_t t, const struct row *r)
{
	struct grt_rec rec = {
		.time_ns = t, .tid = r->tid, .kind = GRT_K_SNAP_M, .flags = r->flags
	};

	rec.arg[0] = (uint64_t)(r->m + 1) | (uint64_t)(r->p + 1) << 32;
	rec.arg[1] = r->g;
	rec.arg[2] = (uint64_t)r->state | (uint64_t)(uint8_t)r->kernel_state << 8 |
		     (uint64_t)r->attr << 16 | (uint64_t)(uint32_t)r->nr << 32;
	rec.arg[3] = r->since_ns;
	rec.arg[5] = r->arg;
	model_apply(m, &rec);
	if (!r->args)
		return;
	rec.kind = GRT_K_SNAP_CALL;
	for (int i = 0; i < GRT_REC_ARGS; i++)
		rec.arg[i] = r->args[i];
	model_apply(m, &rec);
}

/* Up to three frames of a thread, behind its row or behind the snapshot. */
static inline void rec_stack(struct model *m, uint64_t t, uint32_t tid, enum grt_stack which,
			     uint64_t flags, uint64_t n, uint64_t a, uint64_t b, uint64_t c)
{
	struct grt_rec rec = { .time_ns = t, .tid = tid, .kind = GRT_K_SNAP_STACK };

	rec.arg[0] = (uint64_t)which | n << 8 | flags << 32;
	rec.arg[1] = a;
	rec.arg[2] = b;
	rec.arg[3] = c;
	model_apply(m, &rec);
}

/* What the runtime counts. */
struct counts {
	uint64_t handoffs, retakes, slow_exits, self_blocks, made, gone;
};

/* A whole snapshot of a process with `procs` Ps, `idle` of them idle. */
static inline void rec_snapshot(struct model *m, uint64_t t, uint32_t procs, uint32_t idle,
				const struct row *rows, size_t n, const struct counts *c)
{
	rec_apply(m, t, GRT_K_SNAP_BEGIN, 1, 1, 0, 0, 0, 0);
	rec_apply(m, t, GRT_K_SNAP_SCHED, procs | (uint64_t)idle << 32, 2, 107, 5, 1, 0);
	for (uint32_t p = 0; p < procs; p++)
		rec_apply(m, t, GRT_K_SNAP_P, p, p >= idle, p >= idle ? p + 1 : 0, 0, 7, 0);
	rec_apply(m, t, GRT_K_SNAP_COUNT, c->handoffs, c->retakes, c->slow_exits, c->self_blocks,
		  c->made, c->gone);
	for (size_t i = 0; i < n; i++)
		rec_row(m, t, &rows[i]);
	rec_apply(m, t, GRT_K_SNAP_END, n, n, 0, 400000, 0, 0);
}

#endif
