/* SPDX-License-Identifier: MIT */
/*
 * recording.h - for tests of recordings: made in memory, damaged there, reached as /proc/self/fd/N.
 */
#ifndef TESTS_RECORDING_H
#define TESTS_RECORDING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/diag.h"
#include "../../tools/source/file.h"
#include "../../tools/source/source.h"

#define MS_NS 1000000ull
#define SEC_NS 1000000000ull
#define FILE_MAX (4u << 20)
#define RECS_MAX 40000

static const struct file_about about = {
	.pid = 4711,
	.start_time_ns = 17,
	.interval_ns = SEC_NS,
	.layout = 1,
	.level = 1,
	.armed = 9,
	.wanted = 9,
	.flags = FILE_HAS_ITERATOR,
	.comm = "grow\033th",
	.runtime = "libgrt",
	.why_not_higher = "",
};

struct recs {
	size_t n;
	struct grt_rec rec[RECS_MAX];
};
static struct recs sent, got;
static uint8_t image[FILE_MAX];
static uint64_t seed;
static char said[4096];

static inline uint64_t random_next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static inline void collect(void *arg, const struct grt_rec *rec)
{
	struct recs *r = arg;

	assert_true(r->n < RECS_MAX);
	r->rec[r->n++] = *rec;
}

static inline int memory_file(const void *data, size_t bytes)
{
	int fd = memfd_create("recording", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, bytes), bytes);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* Words to the user go to `said` until said_end. */
static int said_fd = -1, said_saved;

static inline void said_begin(void)
{
	said_fd = memfd_create("said", MFD_CLOEXEC);
	said_saved = dup(2);
	dup2(said_fd, 2);
}

static inline void said_end(void)
{
	ssize_t n = pread(said_fd, said, sizeof(said) - 1, 0);

	said[n > 0 ? n : 0] = 0;
	dup2(said_saved, 2);
	close(said_saved);
	close(said_fd);
}

/* What a source hands over, to its end. Returns how it ended; 0: it could not be opened. */
static inline int replay(const char *path, source_emit_fn emit, void *arg)
{
	int code = 77, rc = 0;
	struct source *s = source_file_open(path, &code);

	if (!s) {
		assert_int_not_equal(code, 77);
		assert_int_not_equal(code, EXIT_FINE);
		return 0;
	}
	assert_int_equal(code, EXIT_FINE);
	while (rc == 0) {
		rc = s->ops->snapshot(s, emit, arg);
		if (rc == 0)
			rc = s->ops->wait(s, INT64_MAX, emit, arg);
	}
	/* An end stays an end, and is not told twice. */
	assert_int_equal(s->ops->wait(s, INT64_MAX, emit, arg), rc);
	s->ops->close(s);
	return rc;
}

static inline int replay_bytes(const void *data, size_t bytes)
{
	int fd = memory_file(data, bytes), rc;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	got.n = 0;
	said_begin();
	rc = replay(path, collect, &got);
	said_end();
	close(fd);
	return rc;
}

static inline void put(struct file_writer *w, uint64_t time_ns, uint16_t kind, uint64_t a)
{
	struct grt_rec rec = { .time_ns = time_ns, .tid = 7, .kind = kind };

	rec.arg[0] = a;
	collect(&sent, &rec);
	file_writer_put(w, &rec);
}

/* Ticks of a process: a snapshot of some threads, what is said with it, events in between. */
static inline void put_ticks(struct file_writer *w, unsigned ticks, unsigned threads,
			     unsigned events)
{
	for (unsigned i = 0; i < ticks; i++) {
		uint64_t t = (1000 + i) * SEC_NS;

		put(w, t, GRT_K_SNAP_BEGIN, i);
		for (unsigned k = 0; k < threads; k++)
			put(w, t + k, GRT_K_SNAP_M, random_next());
		put(w, t + MS_NS, GRT_K_SNAP_END, threads);
		put(w, t + MS_NS, GRT_K_LOST, GRT_LOSS_RING);
		file_writer_tick(w);
		for (unsigned k = 0; k < events; k++)
			put(w, t + 2 * MS_NS + k, GRT_K_retake, random_next());
	}
}

/* Writes ticks into image. Returns its size. */
static inline size_t make(unsigned ticks, unsigned threads, unsigned events, enum grt_end why,
			  uint64_t max_bytes, struct file_written *ret)
{
	int fd = memfd_create("recording", MFD_CLOEXEC), copy = dup(fd), rc = 1;
	struct file_writer *w = file_writer_open(fd, &about, max_bytes, &rc);
	ssize_t n;

	assert_non_null(w);
	assert_int_equal(rc, 0);
	sent.n = 0;
	put_ticks(w, ticks, threads, events);
	assert_int_equal(file_writer_close(w, why, ret), 0);
	n = pread(copy, image, sizeof(image), 0);
	close(copy);
	assert_true(n > 0 && (size_t)n < sizeof(image));
	assert_int_equal(n, ret->bytes);
	return (size_t)n;
}

/* What was read are the first records of what was sent, and at the end perhaps a loss. */
static inline void assert_is_beginning(bool has_loss)
{
	size_t n = got.n - has_loss;

	assert_true(got.n >= has_loss && n <= sent.n);
	assert_memory_equal(got.rec, sent.rec, n * sizeof(got.rec[0]));
	if (has_loss) {
		assert_int_equal(got.rec[n].kind, GRT_K_LOST);
		assert_int_equal(got.rec[n].arg[0], GRT_LOSS_CUT);
	}
}

static inline int setup(void **state)
{
	(void)state;
	seed = 0x9e3779b97f4a7c15ull;
	alarm(60);
	return 0;
}

#endif
