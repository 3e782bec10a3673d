/* SPDX-License-Identifier: MIT */
/*
 * file_test.c - recordings: what was written is what is read; every cut and every flipped bit is
 * noticed and said; a full disk and a size limit leave a file that can be replayed. Files live in
 * memory (memfd) and are reached as /proc/self/fd/N.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "../../tools/diag.h"
#include "../../tools/model/model.h"
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
static uint8_t image[FILE_MAX], damaged[FILE_MAX];
static uint64_t seed;
static char said[4096];

static uint64_t random_next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void collect(void *arg, const struct grt_rec *rec)
{
	struct recs *r = arg;

	assert_true(r->n < RECS_MAX);
	r->rec[r->n++] = *rec;
}

static int memory_file(const void *data, size_t bytes)
{
	int fd = memfd_create("recording", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, bytes), bytes);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* Words to the user go to `said` until said_end. */
static int said_fd = -1, said_saved;

static void said_begin(void)
{
	said_fd = memfd_create("said", MFD_CLOEXEC);
	said_saved = dup(2);
	dup2(said_fd, 2);
}

static void said_end(void)
{
	ssize_t n = pread(said_fd, said, sizeof(said) - 1, 0);

	said[n > 0 ? n : 0] = 0;
	dup2(said_saved, 2);
	close(said_saved);
	close(said_fd);
}

/* What a source hands over, to its end. Returns how it ended; 0: it could not be opened. */
static int replay(const char *path, source_emit_fn emit, void *arg)
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
			rc = s->ops->wait(s, 0, emit, arg);
	}
	/* An end stays an end, and is not told twice. */
	assert_int_equal(s->ops->wait(s, 0, emit, arg), rc);
	s->ops->close(s);
	return rc;
}

static int replay_bytes(const void *data, size_t bytes)
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

static void put(struct file_writer *w, uint64_t time_ns, uint16_t kind, uint64_t a)
{
	struct grt_rec rec = { .time_ns = time_ns, .tid = 7, .kind = kind };

	rec.arg[0] = a;
	collect(&sent, &rec);
	file_writer_put(w, &rec);
}

/* Ticks of a process: a snapshot of some threads, what is said with it, events in between. */
static void put_ticks(struct file_writer *w, unsigned ticks, unsigned threads, unsigned events)
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
static size_t make(unsigned ticks, unsigned threads, unsigned events, enum grt_end why,
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
static void assert_is_beginning(bool has_loss)
{
	size_t n = got.n - has_loss;

	assert_true(got.n >= has_loss && n <= sent.n);
	assert_memory_equal(got.rec, sent.rec, n * sizeof(got.rec[0]));
	if (has_loss) {
		assert_int_equal(got.rec[n].kind, GRT_K_LOST);
		assert_int_equal(got.rec[n].arg[0], GRT_LOSS_CUT);
	}
}

static void what_was_written_is_read(void **state)
{
	static const struct {
		enum grt_end why;
		int rc;
	} ends[] = { { GRT_END_ASKED, -ENODATA },
		     { GRT_END_EXITED, -ESRCH },
		     { GRT_END_REPLACED, -ESTALE },
		     { GRT_END_SIGNAL, -EINTR } };
	struct file_written done;

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t bytes = make(3, 5000, 700, ends[i].why, 0, &done);

		assert_int_equal(replay_bytes(image, bytes), ends[i].rc);
		assert_string_equal(said, "");
		assert_int_equal(got.n, sent.n);
		assert_is_beginning(false);
		assert_int_equal(done.records, sent.n + 1);
		assert_int_equal(done.snapshots, 3);
		assert_int_equal(done.dropped, 0);
	}
}

static void a_snapshot_comes_with_what_was_said_with_it(void **state)
{
	struct file_written done;
	size_t bytes = make(2, 3, 4, GRT_END_ASKED, 0, &done);
	int fd = memory_file(image, bytes), code;
	struct source_status st;
	struct source *s;
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	s = source_file_open(path, &code);
	assert_non_null(s);
	s->ops->status(s, &st);
	assert_int_equal(st.pid, 4711);
	assert_string_equal(st.comm, "grow?th");
	assert_true(st.is_recorded && st.has_iterator && !st.has_switches);
	assert_int_equal(st.interval_ns, SEC_NS);
	got.n = 0;
	assert_int_equal(s->ops->snapshot(s, collect, &got), 0);
	assert_int_equal(got.n, 6);
	assert_int_equal(got.rec[4].kind, GRT_K_SNAP_END);
	assert_int_equal(got.rec[5].kind, GRT_K_LOST);
	assert_int_equal(s->ops->wait(s, 0, collect, &got), 0);
	assert_int_equal(got.n, 10);
	assert_int_equal(s->ops->snapshot(s, collect, &got), 0);
	assert_int_equal(got.n, 16);
	assert_int_equal(s->ops->wait(s, 0, collect, &got), -ENODATA);
	s->ops->close(s);
	close(fd);
}

static void names_are_put_together_by_the_model(void **state)
{
	int fd = memfd_create("recording", MFD_CLOEXEC), rc;
	struct file_writer *w = file_writer_open(dup(fd), &about, 0, &rc);
	struct model *m = model_new();
	char name[200], path[64];
	struct file_written done;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	file_writer_text(w, GRT_TEXT_ABOUT, GRT_ABOUT_NOTE, name);
	file_writer_text(w, GRT_TEXT_FD, 3, "");
	assert_int_equal(file_writer_close(w, GRT_END_ASKED, &done), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(replay(path, (source_emit_fn)model_apply, m), -ENODATA);
	assert_string_equal(model_text(m, GRT_TEXT_ABOUT, GRT_ABOUT_NOTE), name);
	model_free(m);
	close(fd);
}

static void every_cut_is_noticed(void **state)
{
	struct file_written done;
	size_t bytes = make(4, 2, 3, GRT_END_EXITED, 0, &done), most = 0;

	(void)state;
	for (size_t n = 0; n < bytes; n++) {
		int rc = replay_bytes(image, n);

		assert_string_not_equal(said, "");
		if (n < sizeof(struct file_header)) {
			assert_int_equal(rc, 0);
			assert_int_equal(got.n, 0);
			continue;
		}
		assert_int_equal(rc, -ENODATA);
		assert_is_beginning(true);
		assert_true(got.n >= most);
		most = got.n;
	}
	/* All but the end came through where the last block is missing. */
	assert_int_equal(most, sent.n + 1);
	assert_int_equal(replay_bytes(image, bytes), -ESRCH);
}

static void every_flipped_bit_is_noticed(void **state)
{
	struct file_written done;
	size_t bytes = make(4, 4, 5, GRT_END_EXITED, 0, &done);

	(void)state;
	for (size_t i = 0; i < bytes; i++) {
		int bit = (int)(random_next() % 8), rc;

		memcpy(damaged, image, bytes);
		damaged[i] ^= (uint8_t)(1 << bit);
		rc = replay_bytes(damaged, bytes);
		assert_string_not_equal(said, "");
		assert_true(rc == 0 || rc == -ENODATA);
		if (rc == 0)
			assert_int_equal(got.n, 0);
		else
			assert_is_beginning(true);
	}
}

static void the_place_of_the_damage_is_told(void **state)
{
	struct file_written done;
	size_t bytes = make(2, 2, 3, GRT_END_EXITED, 0, &done);
	const struct file_block *b = (const void *)(image + sizeof(struct file_header));
	size_t second = sizeof(struct file_header) + sizeof(*b) + b->packed_bytes;
	char want[64];

	(void)state;
	image[second + sizeof(*b) + 3] ^= 4;
	assert_int_equal(replay_bytes(image, bytes), -ENODATA);
	snprintf(want, sizeof(want), "damaged at byte %zu: replayed up to there", second);
	assert_non_null(strstr(said, want));
}

/* The right checksum over a wrong content, as somebody would make who means harm. */
static void reseal(void)
{
	struct file_header *h = (void *)damaged;
	struct file_block *b = (void *)(damaged + sizeof(*h));

	h->crc = (uint32_t)crc32(0, damaged, offsetof(struct file_header, crc));
	b->crc = (uint32_t)crc32(0, (const uint8_t *)(b + 1), b->packed_bytes % FILE_PACKED_MAX);
	b->head_crc = (uint32_t)crc32(0, (const uint8_t *)b, offsetof(struct file_block, head_crc));
}

static void sealed_lies_are_refused(void **state)
{
	struct file_written done;
	size_t bytes = make(2, 4, 5, GRT_END_EXITED, 0, &done);
	size_t near = sizeof(struct file_header) + sizeof(struct file_block) + 64;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t at = random_next() % near;

		memcpy(damaged, image, bytes);
		damaged[at] ^= (uint8_t)(1 << random_next() % 8);
		damaged[random_next() % near] = (uint8_t)random_next();
		reseal();
		replay_bytes(damaged, bytes);
		assert_true(got.n <= sent.n + 1);
	}
}

static void sizes_that_would_take_all_memory_are_refused(void **state)
{
	static const struct file_block lies[] = {
		{ .packed_bytes = UINT32_MAX, .raw_bytes = 64, .records = 1 },
		{ .packed_bytes = 64, .raw_bytes = UINT32_MAX, .records = UINT32_MAX },
		{ .packed_bytes = 64, .raw_bytes = 0, .records = 1u << 26 },
		{ .packed_bytes = 0, .raw_bytes = 0, .records = 0 },
		{ .packed_bytes = 64, .raw_bytes = 64, .records = 2 },
	};
	struct file_written done;
	size_t bytes = make(2, 4, 5, GRT_END_EXITED, 0, &done);

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct file_block *b = (void *)(damaged + sizeof(struct file_header));

		memcpy(damaged, image, bytes);
		*b = lies[i];
		b->magic = FILE_BLOCK_MAGIC;
		b->head_crc = (uint32_t)crc32(0, (const uint8_t *)b,
					      offsetof(struct file_block, head_crc));
		assert_int_equal(replay_bytes(damaged, bytes), -ENODATA);
		assert_non_null(strstr(said, "a block that cannot be true at byte 512"));
	}
}

/* Whatever records say: the model stands it, and takes bounded memory. */
static void hostile_records_do_the_model_no_harm(void **state)
{
	static const uint16_t kinds[] = {
		GRT_K_m_new,
		GRT_K_retake,
		GRT_K_handoff,
		GRT_K_handoff_done,
		GRT_K_SNAP_BEGIN,
		GRT_K_SNAP_SCHED,
		GRT_K_SNAP_P,
		GRT_K_SNAP_M,
		GRT_K_SNAP_CALL,
		GRT_K_SNAP_G,
		GRT_K_SNAP_COUNT,
		GRT_K_SNAP_END,
		GRT_K_SNAP_STACK,
		GRT_K_SNAP_COST,
		GRT_K_TEXT,
		GRT_K_LOST,
		GRT_K_SWITCH_OUT,
		GRT_K_netpoll_run,
		GRT_K_exitsyscall_slow,
	};
	struct model *m = model_new();
	char why[256];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct grt_rec rec = {
			.time_ns = random_next() >> (random_next() % 64),
			.tid = (uint32_t)random_next() % 64,
			.kind = kinds[random_next() % (sizeof(kinds) / sizeof(kinds[0]))],
		};

		for (int k = 0; k < GRT_REC_ARGS; k++)
			rec.arg[k] = random_next() >> (random_next() % 64);
		model_apply(m, &rec);
		if (i % 1000 == 0)
			model_tick(m, random_next() >> 8);
	}
	model_tick(m, UINT64_MAX);
	model_law_broken(m, why, sizeof(why));
	model_free(m);
}

static void a_limit_is_never_passed(void **state)
{
	struct file_written done;
	size_t bytes = make(60, 100, 100, GRT_END_EXITED, FILE_BYTES_MIN, &done);

	(void)state;
	assert_true(bytes <= FILE_BYTES_MIN);
	assert_true(bytes > FILE_BYTES_MIN / 2);
	assert_true(done.is_full);
	assert_true(done.dropped > 0);
	/* It ends as one that was asked for, with all that is said to be in it. */
	assert_int_equal(replay_bytes(image, bytes), -ENODATA);
	assert_string_equal(said, "");
	assert_int_equal(got.n + 1, done.records);
	assert_is_beginning(false);
	assert_int_equal(done.records - 1 + done.dropped, sent.n);
}

static void a_full_disk_is_told(void **state)
{
	struct file_written done;
	struct file_writer *w;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC), rc = 0;

	(void)state;
	assert_true(fd >= 0);
	w = file_writer_open(fd, &about, 0, &rc);
	assert_null(w);
	assert_int_equal(rc, -ENOSPC);

	/* A pipe whose reader leaves after the header. */
	int p[2];
	struct file_header h;

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(p), 0);
	w = file_writer_open(p[1], &about, 0, &rc);
	assert_non_null(w);
	assert_int_equal(read(p[0], &h, sizeof(h)), sizeof(h));
	close(p[0]);
	sent.n = 0;
	put_ticks(w, 3, 10, 10);
	assert_int_equal(file_writer_close(w, GRT_END_SIGNAL, &done), -EPIPE);
	assert_int_equal(done.records, 0);
	assert_int_equal(done.dropped, sent.n);
}

/* A file that cannot grow any more: the block that did not fit leaves nothing behind. */
static void what_fitted_can_be_replayed(void **state)
{
	int fd = memfd_create("recording", MFD_CLOEXEC | MFD_ALLOW_SEALING), rc;
	struct file_writer *w = file_writer_open(dup(fd), &about, 0, &rc);
	struct file_written done;
	ssize_t n;

	(void)state;
	sent.n = 0;
	put_ticks(w, 3, 10, 10);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	put_ticks(w, 3, 10, 10);
	assert_int_equal(file_writer_close(w, GRT_END_ASKED, &done), -EPERM);
	n = pread(fd, image, sizeof(image), 0);
	assert_int_equal(n, done.bytes);
	assert_int_equal(replay_bytes(image, (size_t)n), -ENODATA);
	assert_non_null(strstr(said, "ends without an end"));
	assert_int_equal(got.n, done.records + 1);
	assert_is_beginning(true);
	assert_int_equal(done.records + done.dropped, sent.n);
	close(fd);
}

static void newer_versions_are_refused_with_both(void **state)
{
	struct file_written done;
	size_t bytes = make(1, 1, 1, GRT_END_ASKED, 0, &done);
	struct file_header *h = (void *)damaged;

	(void)state;
	memcpy(damaged, image, bytes);
	h->version = 7;
	assert_int_equal(replay_bytes(damaged, bytes), 0);
	assert_non_null(
		strstr(said, "version 7 of the format, this gotrace reads up to version 1"));
	memcpy(damaged, image, bytes);
	h->trace_version = 9;
	reseal();
	assert_int_equal(replay_bytes(damaged, bytes), 0);
	assert_non_null(strstr(said, "version 9, this gotrace reads up to version 1"));
	memcpy(damaged, image, bytes);
	h->machine = 183;
	reseal();
	assert_int_equal(replay_bytes(damaged, bytes), 0);
	assert_non_null(strstr(said, "another architecture"));
}

static void a_longer_header_is_skipped(void **state)
{
	struct file_written done;
	size_t bytes = make(1, 1, 1, GRT_END_ASKED, 0, &done), more = 1000;
	struct file_header *h = (void *)damaged;

	(void)state;
	memcpy(damaged, image, sizeof(*h));
	memset(damaged + sizeof(*h), 0xa5, more);
	memcpy(damaged + sizeof(*h) + more, image + sizeof(*h), bytes - sizeof(*h));
	h->header_bytes += (uint32_t)more;
	h->crc = (uint32_t)crc32(0, damaged, offsetof(struct file_header, crc));
	assert_int_equal(replay_bytes(damaged, bytes + more), -ENODATA);
	assert_string_equal(said, "");
	assert_int_equal(got.n, sent.n);
}

static void what_is_no_recording_is_named(void **state)
{
	static const struct {
		const char *data;
		size_t bytes;
		const char *what;
	} rows[] = {
		{ "", 0, "it is empty" },
		{ "hello, world\n", 13, "it is text" },
		{ "\177ELF\2\1\1", 7, "a program, library or core file (ELF)" },
		{ "PERFILE2........", 16, "a recording of perf" },
		{ "go 1.22 trace\0\0\0", 16, "an execution trace of Go" },
		{ "\0\0\0\0\0\0\0\0", 8, "data of another kind" },
		{ "\211GRT\n\032\n.....", 12, "changed on its way" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(replay_bytes(rows[i].data, rows[i].bytes), 0);
		if (!strstr(said, rows[i].what))
			fail_msg("'%s' is not in: %s", rows[i].what, said);
	}
	said_begin();
	assert_int_equal(replay("/", collect, &got), 0);
	assert_int_equal(replay("/nowhere/at/all", collect, &got), 0);
	said_end();
	assert_non_null(strstr(said, "Is a directory"));
	assert_non_null(strstr(said, "cannot open the recording /nowhere/at/all: No such file"));
}

static void no_file_is_overwritten_unasked(void **state)
{
	char dir[] = "/tmp/file_test.XXXXXX", path[64], fifo[64];
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a", dir);
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	fd = file_create(path, -1, false);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "old", 3), 3);
	close(fd);
	assert_int_equal(file_create(path, -1, false), -EEXIST);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 3);
	fd = file_create(path, -1, true);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	/* With force, too, only a regular file; and nobody waits for a reader. */
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(file_create(fifo, -1, true), -EINVAL);
	assert_int_equal(file_create("/dev/null", -1, true), -EINVAL);
	assert_int_equal(file_create(dir, -1, true), -EISDIR);
	assert_int_equal(file_create("/nowhere/at/all", -1, false), -ENOENT);
	unlink(path);
	unlink(fifo);
	rmdir(dir);
}

static int setup(void **state)
{
	(void)state;
	seed = 0x9e3779b97f4a7c15ull;
	alarm(60);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_was_written_is_read, setup),
		cmocka_unit_test_setup(a_snapshot_comes_with_what_was_said_with_it, setup),
		cmocka_unit_test_setup(names_are_put_together_by_the_model, setup),
		cmocka_unit_test_setup(every_cut_is_noticed, setup),
		cmocka_unit_test_setup(every_flipped_bit_is_noticed, setup),
		cmocka_unit_test_setup(the_place_of_the_damage_is_told, setup),
		cmocka_unit_test_setup(sealed_lies_are_refused, setup),
		cmocka_unit_test_setup(sizes_that_would_take_all_memory_are_refused, setup),
		cmocka_unit_test_setup(hostile_records_do_the_model_no_harm, setup),
		cmocka_unit_test_setup(a_limit_is_never_passed, setup),
		cmocka_unit_test_setup(a_full_disk_is_told, setup),
		cmocka_unit_test_setup(what_fitted_can_be_replayed, setup),
		cmocka_unit_test_setup(newer_versions_are_refused_with_both, setup),
		cmocka_unit_test_setup(a_longer_header_is_skipped, setup),
		cmocka_unit_test_setup(what_is_no_recording_is_named, setup),
		cmocka_unit_test_setup(no_file_is_overwritten_unasked, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
