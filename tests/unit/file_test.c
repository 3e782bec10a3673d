/* SPDX-License-Identifier: MIT */
/*
 * file_test.c - recordings: what was written is what is read; a full disk, a closed pipe and a size
 * limit leave a file that can be replayed; nothing is overwritten unasked.
 */
#include "recording.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "../../tools/model/model.h"

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
	assert_int_equal(s->ops->wait(s, INT64_MAX, collect, &got), 0);
	assert_int_equal(got.n, 10);
	assert_int_equal(s->ops->snapshot(s, collect, &got), 0);
	assert_int_equal(got.n, 16);
	assert_int_equal(s->ops->wait(s, INT64_MAX, collect, &got), -ENODATA);
	s->ops->close(s);
	close(fd);
}

/* Who stops at a snapshot takes what had happened by then, in whatever order CPUs told it. */
static void events_up_to_a_time_are_read(void **state)
{
	static const uint64_t at_ms[] = { 0, 1, 9, 2, 60, 3, 8, 500, 4 };
	int fd = memfd_create("recording", MFD_CLOEXEC), rc, code;
	struct file_writer *w = file_writer_open(dup(fd), &about, 0, &rc);
	struct file_written done;
	struct source_status st;
	struct source *s;
	char path[64];

	(void)state;
	sent.n = got.n = 0;
	for (size_t i = 0; i < sizeof(at_ms) / sizeof(at_ms[0]); i++)
		put(w, SEC_NS + at_ms[i] * MS_NS, GRT_K_retake, i);
	assert_int_equal(file_writer_close(w, GRT_END_ASKED, &done), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	s = source_file_open(path, &code);
	assert_non_null(s);

	assert_int_equal(s->ops->wait(s, (int64_t)(SEC_NS + 5 * MS_NS), collect, &got), 0);
	assert_int_equal(got.n, 4);
	assert_int_equal(got.rec[2].arg[0], 3);
	assert_int_equal(got.rec[3].arg[0], 5);
	s->ops->status(s, &st);
	assert_int_equal(st.last_ns, SEC_NS + 3 * MS_NS);
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
	assert_int_equal(got.n, done.records);
	assert_int_equal(got.rec[--got.n].kind, GRT_K_FILE_END);
	assert_int_equal(got.rec[got.n].arg[0], GRT_END_FULL);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_was_written_is_read, setup),
		cmocka_unit_test_setup(a_snapshot_comes_with_what_was_said_with_it, setup),
		cmocka_unit_test_setup(events_up_to_a_time_are_read, setup),
		cmocka_unit_test_setup(names_are_put_together_by_the_model, setup),
		cmocka_unit_test_setup(a_limit_is_never_passed, setup),
		cmocka_unit_test_setup(a_full_disk_is_told, setup),
		cmocka_unit_test_setup(what_fitted_can_be_replayed, setup),
		cmocka_unit_test_setup(no_file_is_overwritten_unasked, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
