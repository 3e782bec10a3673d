/* SPDX-License-Identifier: MIT */
/* sink_source.c - see sink_source.h. */
#include "sink_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../source/threads.h"

#define RING_RECORDS 16384u /* a thread's, between two drains */
#define BATCH 256
#define DRAIN_NS 1000000 /* how long records may wait in the rings */

/* libgrt's, if the program has it. */
__attribute__((weak)) int grt_sink_open(uint64_t kinds, size_t ring_records);
__attribute__((weak)) ssize_t grt_sink_read(struct grt_rec *recs, size_t n);
__attribute__((weak)) int grt_sink_close(void);

struct sink_source {
	struct source base;
	struct source *looks; /* snapshots: level 0 */
	struct grt_rec batch[BATCH];
};

static void drain(struct sink_source *s, source_emit_fn emit, void *arg)
{
	ssize_t n;

	do {
		n = grt_sink_read(s->batch, BATCH);
		for (ssize_t i = 0; i < n; i++)
			emit(arg, &s->batch[i]);
	} while (n == BATCH);
}

static int sink_snapshot(struct source *base, source_emit_fn emit, void *arg)
{
	struct sink_source *s = (struct sink_source *)base;

	drain(s, emit, arg);
	return s->looks->ops->snapshot(s->looks, emit, arg);
}

static int sink_wait(struct source *base, int64_t until_ns, source_emit_fn emit, void *arg)
{
	struct sink_source *s = (struct sink_source *)base;

	for (;;) {
		int64_t left = until_ns - (int64_t)threads_now_ns();
		struct timespec ts = { .tv_nsec = left < DRAIN_NS ? left : DRAIN_NS };

		drain(s, emit, arg);
		if (left <= 0)
			return 0;
		nanosleep(&ts, NULL);
	}
}

static void sink_status(struct source *base, struct source_status *ret)
{
	struct sink_source *s = (struct sink_source *)base;

	s->looks->ops->status(s->looks, ret);
}

static void sink_close(struct source *base)
{
	struct sink_source *s = (struct sink_source *)base;

	grt_sink_close();
	if (s->looks)
		s->looks->ops->close(s->looks);
	free(s);
}

static const struct source_ops sink_ops = {
	.snapshot = sink_snapshot,
	.wait = sink_wait,
	.status = sink_status,
	.close = sink_close,
};

struct source *sink_source_open(struct target *t, uint64_t kinds, char *why, size_t why_bytes)
{
	const struct source_opts o = { .sample_only = true,
				       .want_goroutines = true,
				       .want_names = true,
				       .want_stacks = true };
	struct sink_source *s;
	int rc, code;

	if (!grt_sink_open || !grt_sink_read || !grt_sink_close) {
		snprintf(why, why_bytes, "this program is not linked with libgrt");
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	rc = s ? grt_sink_open(kinds, RING_RECORDS) : -ENOMEM;
	if (rc < 0) {
		snprintf(why, why_bytes, "cannot open the sink of libgrt: %s",
			 rc == -EBUSY ? "another scope, or the program itself, has it"
				      : strerror(-rc));
		free(s);
		return NULL;
	}
	s->base.ops = &sink_ops;
	s->looks = source_live_open(t, &o, &code);
	if (s->looks)
		return &s->base;
	snprintf(why, why_bytes, "this process's memory cannot be read");
	sink_close(&s->base);
	return NULL;
}
