/* SPDX-License-Identifier: MIT */
/*
 * file_read.c - a recording as a source. Read once from front to back, so that a pipe will do.
 *
 * Nothing in the file is trusted: sizes are bounded before anything is read by them, both checksums
 * are compared before anything is unpacked, and one block is all the memory it takes. At the first
 * thing that is wrong the stream ends with a record of the loss; what came before it is whole.
 * What records say is for the model to judge, as it does with live ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "file.h"
#include "source.h"

#define LATE_NS 100000000u /* how much older than the one before it an event in a ring may be */

struct file {
	struct source base;
	int fd;
	uint64_t offset; /* of the block that is next */
	uint64_t last_ns;
	uint32_t at, n;                    /* in raw */
	int end_rc;                        /* how it ends, once that is known; 0: not yet */
	bool is_cut, is_full, is_end_told; /* cut: something of it is missing, or is more */
	char name[256];
	struct file_header header;
	struct source_status status;
	struct grt_rec raw[FILE_BLOCK_RECORDS];
	uint8_t packed[FILE_PACKED_MAX];
};

static int cut(struct file *f, const char *what)
{
	diag_warn("%s: %s at byte %" PRIu64 ": replayed up to there", f->name, what, f->offset);
	f->is_cut = true;
	f->end_rc = -ENODATA;
	return f->end_rc;
}

/* What is wrong with the header of a block; NULL: nothing. */
static const char *block_fault(const struct file_block *b)
{
	if (b->magic != FILE_BLOCK_MAGIC ||
	    b->head_crc !=
		    (uint32_t)crc32(0, (const uint8_t *)b, offsetof(struct file_block, head_crc)))
		return "damaged";
	if (b->records == 0 || b->records > FILE_BLOCK_RECORDS ||
	    b->raw_bytes != b->records * sizeof(struct grt_rec) || b->packed_bytes == 0 ||
	    b->packed_bytes > FILE_PACKED_MAX)
		return "a block that cannot be true";
	return NULL;
}

static int unpack(struct file *f, const struct file_block *b)
{
	uLongf raw_bytes = b->raw_bytes;

	if (b->crc != (uint32_t)crc32(0, f->packed, b->packed_bytes))
		return cut(f, "damaged");
	if (uncompress((uint8_t *)f->raw, &raw_bytes, f->packed, b->packed_bytes) != Z_OK ||
	    raw_bytes != b->raw_bytes)
		return cut(f, "a block that does not unpack");
	f->n = b->records;
	f->at = 0;
	f->offset += sizeof(*b) + b->packed_bytes;
	return 0;
}

/* The next block. 0, or how it ends. */
static int block_read(struct file *f)
{
	struct file_block b;
	ssize_t n = file_read_all(f->fd, &b, sizeof(b));
	const char *fault;

	if (n == 0)
		return cut(f, "ends without an end (its recorder was killed, or it was cut off)");
	if (n >= 0 && n < (ssize_t)sizeof(b))
		return cut(f, "cut off");
	if (n >= 0) {
		fault = block_fault(&b);
		if (fault)
			return cut(f, fault);
		n = file_read_all(f->fd, f->packed, b.packed_bytes);
	}
	if (n >= 0 && n < (ssize_t)b.packed_bytes)
		return cut(f, "cut off");
	if (n >= 0)
		return unpack(f, &b);
	if (n == -EINTR)
		f->end_rc = -EINTR;
	else
		cut(f, strerror((int)-n));
	return f->end_rc;
}

static int end_of(const struct grt_rec *rec)
{
	switch (rec->arg[0]) {
	case GRT_END_EXITED:
		return -ESRCH;
	case GRT_END_REPLACED:
		return -ESTALE;
	case GRT_END_SIGNAL:
		return -EINTR;
	}
	return -ENODATA;
}

/* Two recordings in one file, say. Of a pipe nobody can tell before its writer ends. */
static bool has_more(const struct file *f)
{
	off_t at = lseek(f->fd, 0, SEEK_CUR);
	struct stat st;

	return f->at + 1 < f->n || (at >= 0 && fstat(f->fd, &st) == 0 && st.st_size > at);
}

/* The record that is next; NULL: the file ends, as end_rc says. */
static const struct grt_rec *peek(struct file *f)
{
	if (f->end_rc == 0 && source_was_signalled())
		f->end_rc = -EINTR;
	while (f->end_rc == 0 && f->at == f->n)
		block_read(f);
	if (f->end_rc == 0 && f->raw[f->at].kind == GRT_K_FILE_END) {
		f->is_full = f->raw[f->at].arg[0] == GRT_END_FULL;
		if (has_more(f))
			cut(f, "something behind its end");
		f->end_rc = end_of(&f->raw[f->at]);
	}
	return f->end_rc == 0 ? &f->raw[f->at] : NULL;
}

static void advance(struct file *f, source_emit_fn emit, void *arg)
{
	const struct grt_rec *rec = &f->raw[f->at++];

	if (rec->time_ns > f->last_ns)
		f->last_ns = rec->time_ns;
	if (rec->kind == GRT_K_SNAP_COST)
		f->status.probe_hits = rec->arg[0];
	emit(arg, rec);
}

static int ended(struct file *f, source_emit_fn emit, void *arg)
{
	struct grt_rec lost = { .kind = GRT_K_LOST, .time_ns = f->last_ns };
	struct grt_rec full = { .kind = GRT_K_FILE_END, .time_ns = f->last_ns };

	/* How many are missing nobody knows: at least one. */
	lost.arg[0] = GRT_LOSS_CUT;
	lost.arg[1] = 1;
	full.arg[0] = GRT_END_FULL;
	if (f->is_cut && !f->is_end_told)
		emit(arg, &lost);
	if (f->is_full && !f->is_end_told)
		emit(arg, &full);
	f->is_end_told = true;
	return f->end_rc;
}

/* Said with a snapshot, behind its end. */
static bool is_aside(const struct grt_rec *rec)
{
	return rec->kind == GRT_K_TEXT || rec->kind == GRT_K_LOST;
}

static int file_snapshot(struct source *base, source_emit_fn emit, void *arg)
{
	struct file *f = (struct file *)base;
	const struct grt_rec *rec;

	for (;;) {
		bool is_last;

		rec = peek(f);
		if (!rec)
			return ended(f, emit, arg);
		is_last = rec->kind == GRT_K_SNAP_END;
		advance(f, emit, arg);
		if (is_last)
			break;
	}
	/* In this block only: whoever reads a pipe shall see the snapshot at once. The writer ends no
	 * block between the two. */
	while (f->at < f->n && is_aside(&f->raw[f->at]))
		advance(f, emit, arg);
	return 0;
}

/*
 * A recording has its own time: it goes on at once. CPUs write into one ring: behind a record that is
 * too new there may be some that are not, but not for long.
 */
static int file_wait(struct source *base, int64_t until_ns, source_emit_fn emit, void *arg)
{
	struct file *f = (struct file *)base;
	uint64_t until = (uint64_t)until_ns;
	const struct grt_rec *rec;

	for (;;) {
		rec = peek(f);
		if (!rec)
			return ended(f, emit, arg);
		if (rec->kind == GRT_K_SNAP_BEGIN)
			return 0;
		if (rec->time_ns <= until)
			advance(f, emit, arg);
		else if (rec->time_ns - until <= LATE_NS)
			f->at++;
		else
			return 0;
	}
}

static void file_status(struct source *base, struct source_status *ret)
{
	struct file *f = (struct file *)base;

	f->status.last_ns = f->last_ns;
	*ret = f->status;
}

static void file_close(struct source *base)
{
	struct file *f = (struct file *)base;

	if (f->fd > STDERR_FILENO)
		close(f->fd);
	free(f);
}

static const struct source_ops file_ops = {
	.snapshot = file_snapshot,
	.wait = file_wait,
	.status = file_status,
	.close = file_close,
};

static void status_init(struct file *f)
{
	const struct file_header *h = &f->header;
	struct source_status *s = &f->status;

	s->pid = h->pid;
	s->comm = f->header.comm;
	s->runtime = f->header.runtime;
	s->is_recorded = true;
	s->interval_ns = (int64_t)h->interval_ns;
	s->level = (int)h->level;
	s->armed = (int)h->armed;
	s->wanted = (int)h->wanted;
	s->has_iterator = h->flags & FILE_HAS_ITERATOR;
	s->has_switches = h->flags & FILE_HAS_SWITCHES;
	s->is_replaced = h->flags & FILE_IS_REPLACED;
	snprintf(s->why_not_higher, sizeof(s->why_not_higher), "%s", h->why_not_higher);
}

static enum exit_code open_failed(const char *path, int error)
{
	enum exit_code code = error == ENOENT || error == ENOTDIR ? EXIT_NO_TARGET
			      : error == EACCES || error == EPERM ? EXIT_NOT_PERMITTED
								  : EXIT_SYSTEM;

	return diag_error(code, "cannot open the recording %s: %s", path, strerror(error));
}

struct source *source_file_open(const char *path, int *ret_code)
{
	bool is_stdin = !strcmp(path, "-");
	struct file *f = calloc(1, sizeof(*f));

	if (!f) {
		*ret_code = diag_error(EXIT_SYSTEM, "out of memory");
		return NULL;
	}
	f->base.ops = &file_ops;
	snprintf(f->name, sizeof(f->name), "%s", is_stdin ? "stdin" : path);
	f->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0)
		*ret_code = open_failed(path, errno);
	else
		*ret_code = file_header_read(f->fd, f->name, &f->header, &f->offset);
	if (*ret_code == EXIT_FINE) {
		status_init(f);
		return &f->base;
	}
	file_close(&f->base);
	return NULL;
}
