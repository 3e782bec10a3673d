/* SPDX-License-Identifier: MIT */
/*
 * file_write.c - see file.h. One block is gathered in memory; it is packed and written when it is full,
 * when the stream has gone on for a second, and at a tick. So whoever kills the recorder loses
 * a second at most.
 *
 * A write that fails ends the recording: the piece of a block that came through is cut off again where
 * that can be done, and the rest of the stream is counted, not kept.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "slow_pipe.h"

#define SEC_NS 1000000000ull
/* At a tick sooner: one a second is the default, and its snapshot shall be in the file at once. */
#define TICK_FLUSH_NS (SEC_NS / 2)
#define PACK_LEVEL 1 /* a recorder must not be what a machine is busy with */

struct file_writer {
	int fd;
	bool is_regular, has_ended;
	uint64_t max_bytes;
	uint64_t flushed_ns; /* newest time in the file */
	struct file_written written;
	struct file_block block; /* of what is in raw */
	uint64_t snapshots;      /* in raw */
	struct grt_rec raw[FILE_BLOCK_RECORDS];
	uint8_t packed[FILE_PACKED_MAX];
};

/* Why there is no file to write: what is no file cannot be emptied either. */
static int why_not_created(const char *path, int error)
{
	struct stat st;

	if (error == ENXIO)
		return EINVAL;
	if (error != EEXIST || stat(path, &st) < 0 || S_ISREG(st.st_mode))
		return error;
	return S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
}

int file_create(const char *path, int out_fd, bool force)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK; /* a FIFO does not hold us up */
	struct stat st;
	int fd, rc;

	if (!strcmp(path, "-")) {
		fd = fcntl(out_fd, F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? -errno : fd;
	}
	fd = open(path, flags | (force ? 0 : O_EXCL), 0666);
	if (fd < 0)
		return -why_not_created(path, errno);
	/* Looked at once it is open: what the name stands for may change until then. */
	rc = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
	/* O_NONBLOCK was for the opening only. */
	if (rc == 0 && (ftruncate(fd, 0) < 0 || fcntl(fd, F_SETFL, 0) < 0))
		rc = -errno;
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

static ssize_t write_some(int fd, bool is_regular, const void *from, size_t bytes)
{
	int grace_ms = SLOW_PIPE_GRACE_MS;
	ssize_t n;

	if (!is_regular)
		return slow_pipe_write(fd, from, bytes, &grace_ms);
	n = write(fd, from, bytes);
	/* A signal asks the recorder to end, which it does after this block. */
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n == 0)
		return -EIO;
	return n < 0 ? -errno : n;
}

static int write_all(int fd, bool is_regular, const void *from, size_t bytes)
{
	const uint8_t *at = from;

	while (bytes) {
		ssize_t n = write_some(fd, is_regular, at, bytes);

		if (n < 0)
			return (int)n;
		at += n;
		bytes -= (size_t)n;
	}
	return 0;
}

static void fail(struct file_writer *w, int rc)
{
	/* Best effort: a reader copes with half a block, too. */
	if (w->is_regular && ftruncate(w->fd, (off_t)w->written.bytes) == 0)
		lseek(w->fd, (off_t)w->written.bytes, SEEK_SET);
	w->written.error = rc;
	w->has_ended = true;
}

static void block_drop(struct file_writer *w)
{
	w->written.dropped += w->block.records;
	w->block = (struct file_block){ 0 };
	w->snapshots = 0;
}

static void block_write(struct file_writer *w, size_t packed_bytes)
{
	struct file_block *b = &w->block;
	uint8_t *at = w->packed;
	int rc;

	b->magic = FILE_BLOCK_MAGIC;
	b->packed_bytes = (uint32_t)packed_bytes;
	b->raw_bytes = b->records * (uint32_t)sizeof(struct grt_rec);
	b->crc = (uint32_t)crc32(0, at + sizeof(*b), b->packed_bytes);
	b->head_crc = (uint32_t)crc32(0, (const uint8_t *)b, offsetof(struct file_block, head_crc));
	memcpy(at, b, sizeof(*b));
	rc = write_all(w->fd, w->is_regular, at, sizeof(*b) + packed_bytes);
	if (rc < 0) {
		fail(w, rc);
		block_drop(w);
		return;
	}
	w->written.bytes += sizeof(*b) + packed_bytes;
	w->written.records += b->records;
	w->written.snapshots += w->snapshots;
	w->flushed_ns = b->last_ns > w->flushed_ns ? b->last_ns : w->flushed_ns;
	*b = (struct file_block){ 0 };
	w->snapshots = 0;
}

static void end_put(struct file_writer *w, enum grt_end why);

/* Pack and write what was gathered; `room`: bytes that must stay free behind it. */
static void flush(struct file_writer *w, uint64_t room)
{
	uLongf bytes = sizeof(w->packed) - sizeof(struct file_block);
	uLong raw_bytes = w->block.records * sizeof(struct grt_rec);

	if (w->block.records == 0)
		return;
	if (compress2(w->packed + sizeof(struct file_block), &bytes, (const uint8_t *)w->raw,
		      raw_bytes, PACK_LEVEL) != Z_OK) {
		fail(w, -ENOMEM);
		block_drop(w);
		return;
	}
	if (w->max_bytes &&
	    w->written.bytes + sizeof(struct file_block) + bytes + room > w->max_bytes) {
		block_drop(w);
		w->written.is_full = true;
		end_put(w, GRT_END_FULL);
		return;
	}
	block_write(w, bytes);
}

static void gather(struct file_writer *w, const struct grt_rec *rec)
{
	struct file_block *b = &w->block;

	w->raw[b->records++] = *rec;
	w->snapshots += rec->kind == GRT_K_SNAP_END;
	if (rec->time_ns && (b->first_ns == 0 || rec->time_ns < b->first_ns))
		b->first_ns = rec->time_ns;
	if (rec->time_ns > b->last_ns)
		b->last_ns = rec->time_ns;
}

/* The last block; there is room for it, since every other one left it. */
static void end_put(struct file_writer *w, enum grt_end why)
{
	struct grt_rec end = { .kind = GRT_K_FILE_END, .time_ns = w->flushed_ns };

	end.arg[0] = why;
	if (w->has_ended)
		return;
	w->has_ended = true;
	gather(w, &end);
	flush(w, 0);
}

void file_writer_put(struct file_writer *w, const struct grt_rec *rec)
{
	struct file_block *b = &w->block;

	if (w->has_ended) {
		w->written.dropped++;
		return;
	}
	gather(w, rec);
	if (b->records == FILE_BLOCK_RECORDS || b->last_ns - b->first_ns >= SEC_NS)
		flush(w, FILE_END_BYTES);
}

void file_writer_tick(struct file_writer *w)
{
	if (!w->has_ended && w->block.last_ns >= w->flushed_ns + TICK_FLUSH_NS)
		flush(w, FILE_END_BYTES);
}

void file_writer_text(struct file_writer *w, enum grt_text what, uint64_t key, const char *text)
{
	size_t bytes = strnlen(text, GRT_TEXT_BYTES_MAX), offset = 0;

	do {
		size_t part = bytes - offset < GRT_TEXT_PIECE ? bytes - offset : GRT_TEXT_PIECE;
		struct grt_rec rec = { .kind = GRT_K_TEXT };

		rec.arg[0] = (uint64_t)what | (uint64_t)bytes << 16 | (uint64_t)offset << 32;
		rec.arg[1] = key;
		memcpy(&rec.arg[2], text + offset, part);
		file_writer_put(w, &rec);
		offset += part;
	} while (offset < bytes);
}

const struct file_written *file_writer_written(const struct file_writer *w)
{
	return &w->written;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts = { 0 };

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * SEC_NS + (uint64_t)ts.tv_nsec;
}

static void boot_id_read(char *ret, size_t bytes)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, ret, bytes - 1);

	ret[n > 0 ? n : 0] = 0;
	ret[strcspn(ret, "\n")] = 0;
	if (fd >= 0)
		close(fd);
}

static void text_copy(char *ret, size_t bytes, const char *text)
{
	size_t n = text ? strnlen(text, bytes - 1) : 0;

	memcpy(ret, text, n);
	ret[n] = 0;
}

static int header_write(struct file_writer *w, const struct file_about *a)
{
	struct file_header h = {
		.version = FILE_VERSION,
		.header_bytes = sizeof(h),
		.record_bytes = sizeof(struct grt_rec),
		.trace_version = GRT_TRACE_VERSION,
		.machine = FILE_MACHINE,
		.layout = a->layout,
		.pid = a->pid,
		.flags = a->flags,
		.start_time_ns = a->start_time_ns,
		.monotonic_ns = clock_ns(CLOCK_MONOTONIC),
		.realtime_ns = clock_ns(CLOCK_REALTIME),
		.interval_ns = a->interval_ns,
		.level = a->level,
		.armed = a->armed,
		.wanted = a->wanted,
	};

	memcpy(h.magic, FILE_MAGIC, sizeof(h.magic));
	boot_id_read(h.boot_id, sizeof(h.boot_id));
	text_copy(h.comm, sizeof(h.comm), a->comm);
	text_copy(h.runtime, sizeof(h.runtime), a->runtime);
	text_copy(h.why_not_higher, sizeof(h.why_not_higher), a->why_not_higher);
	h.crc = (uint32_t)crc32(0, (const uint8_t *)&h, offsetof(struct file_header, crc));
	w->written.bytes = sizeof(h);
	return write_all(w->fd, w->is_regular, &h, sizeof(h));
}

struct file_writer *file_writer_open(int fd, const struct file_about *about, uint64_t max_bytes,
				     int *ret_rc)
{
	struct file_writer *w = calloc(1, sizeof(*w));
	struct stat st;
	int rc = -ENOMEM;

	if (w) {
		w->fd = fd;
		w->max_bytes = max_bytes;
		w->is_regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
				lseek(fd, 0, SEEK_CUR) == 0;
		rc = header_write(w, about);
	}
	*ret_rc = rc;
	if (rc == 0)
		return w;
	close(fd);
	free(w);
	return NULL;
}

int file_writer_close(struct file_writer *w, enum grt_end why, struct file_written *ret)
{
	int rc;

	/* What is in memory goes first: if there is no room for it, there is for the end. */
	if (!w->has_ended)
		flush(w, FILE_END_BYTES);
	end_put(w, why);
	if (close(w->fd) < 0 && w->written.error == 0)
		w->written.error = -errno;
	rc = w->written.error;
	*ret = w->written;
	free(w);
	return rc;
}
