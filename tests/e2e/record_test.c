/* SPDX-License-Identifier: MIT */
/*
 * record_test.c - gotrace record and its recordings, replayed: they say what the program says itself.
 * Then everything that may go wrong with a file: it is cut, damaged, newer, there already, too large;
 * its disk is full, its recorder is killed, its reader is a pipe.
 */
#define _GNU_SOURCE
#include "../../tools/diag.h"
#include "../../tools/source/file.h"
#include "../unit/schema.h"
#include "rights.h"

#define FIFOS 97
#define TICKS 7
#define DISK_BYTES "65536"

static struct outcome o;
static char dir[] = "/tmp/record_test.XXXXXX";

static char *in_dir(const char *name)
{
	static char path[8][PATH_MAX];
	static unsigned next;
	char *ret = path[next++ % 8];

	snprintf(ret, PATH_MAX, "%s/%s", dir, name);
	return ret;
}

/* Its goroutines block in 97 FIFOs, and hand-offs go on. */
static struct program growth_start(char *seconds)
{
	char *argv[] = { (char *)e2e_path("EXAMPLES_DIR", "growth"), "--seconds", seconds, NULL };
	struct program p = program_start(argv, NULL);

	program_expect(&p, "ready: 97 blocked in FIFOs");
	return p;
}

/* gotrace record --json PID -o FILE -i 20ms; ends with NULL: more options. Returns its exit code. */
static int record(pid_t pid, char *file, ...)
{
	char *argv[16] = { "gotrace", "record", "--json", pid_text(pid), "-o", file, "-i", "20ms" };
	va_list ap;
	int n = 8;

	va_start(ap, file);
	while ((argv[n] = va_arg(ap, char *)))
		n++;
	va_end(ap);
	gotrace_run(&o, NULL, -1, argv);
	return o.code;
}

static int replay(char *file)
{
	char *argv[] = { "gotrace", "threads", file, "--json", NULL };

	gotrace_run(&o, NULL, -1, argv);
	return o.code;
}

static size_t file_read(const char *path, uint8_t **ret)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	*ret = malloc((size_t)st.st_size + 1);
	assert_non_null(*ret);
	assert_int_equal(read(fd, *ret, (size_t)st.st_size), st.st_size);
	close(fd);
	return (size_t)st.st_size;
}

/* The text from there on; it must be there. */
static const char *behind(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	if (!at)
		fail_msg("no %s in:\n%s", key, text);
	return at;
}

/* What stands between two keys. */
static void assert_same(const char *a, const char *b, const char *from, const char *to)
{
	char first[32], last[32];
	size_t bytes;

	snprintf(first, sizeof(first), "\"%s\":", from);
	snprintf(last, sizeof(last), ",\"%s\":", to);
	a = behind(a, first);
	b = behind(b, first);
	bytes = (size_t)(behind(a, last) - a);
	assert_int_equal(bytes, behind(b, last) - b);
	if (memcmp(a, b, bytes))
		fail_msg("%.*s\nis not\n%.*s", (int)bytes, a, (int)bytes, b);
}

static void a_replay_says_what_the_program_and_the_recorder_say(void **state)
{
	static char end[8192];
	struct program p = growth_start("60");
	char *path = in_dir("growth"), pid[32];
	const char *tick;
	int ticks = 0;

	(void)state;
	if (record(p.pid, path, "-n", "7", NULL) != EXIT_FINE)
		fail_msg("%s", o.err);
	program_stop(&p);
	assert_int_equal(json_number(behind(o.out, "\"type\":\"totals\""), "snapshots"), TICKS);
	snprintf(end, sizeof(end), "%s", behind(o.out, "\"type\":\"end\""));

	assert_int_equal(replay(path), EXIT_FINE);
	assert_string_equal(o.err, "");
	snprintf(pid, sizeof(pid), "\"pid\":%d,", p.pid);
	assert_says(o.out, pid);
	assert_says(o.out, "\"comm\":\"growth\"");
	assert_says(o.out, "\"is_recorded\":true");
	for (tick = o.out; (tick = strstr(tick, "\"type\":\"tick\"")); tick++, ticks++)
		assert_true(json_number(tick, "blocked") >= FIFOS);
	assert_int_equal(ticks, TICKS);
	assert_same(end, behind(o.out, "\"type\":\"end\""), "seen", "since_start");
	assert_same(end, behind(o.out, "\"type\":\"end\""), "since_start", "probe_hits");
	assert_same(end, behind(o.out, "\"type\":\"end\""), "cost", "lost");
}

static void a_pipe_is_a_file(void **state)
{
	char *path = in_dir("pipe"), script[PATH_MAX * 2];
	struct program p = growth_start("60"), sh;
	char *argv[] = { "/bin/sh", "-c", script, NULL };

	(void)state;
	snprintf(script, sizeof(script),
		 "%s record %d -o - -n 7 -i 20ms 2>%s | %s threads - --json", getenv("GOTRACE"),
		 p.pid, path, getenv("GOTRACE"));
	sh = program_start(argv, NULL);
	for (int i = 0; i < TICKS; i++)
		program_expect(&sh, "{\"type\":\"tick\"");
	program_expect(&sh, "{\"type\":\"end\",\"why\":\"asked\",\"rows\":7,");
	assert_int_equal(e2e_wait(sh.pid), 0);
	close(sh.out);
	program_stop(&p);
}

static void the_end_of_the_target_is_recorded(void **state)
{
	static const struct {
		int sig;
		const char *why;
	} rows[] = { { SIGKILL, "\"why\":\"exited\"" }, { SIGUSR1, "\"why\":\"replaced\"" } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct program p = sleeper_start(NULL, NULL), g;
		char *path = in_dir("end");
		char *argv[] = {
			getenv("GOTRACE"), "record", pid_text(p.pid), "-o", path, "--force",
			"--json",          "-i",     "20ms",          NULL
		};

		g = program_start(argv, NULL);
		program_expect(&g, "{\"type\":\"recorded\"");
		kill(p.pid, rows[i].sig);
		program_expect(&g, "{\"type\":\"end\"");
		assert_says(g.line, rows[i].why);
		assert_int_equal(e2e_wait(g.pid), EXIT_FINE);
		close(g.out);
		program_stop(&p);
		assert_int_equal(replay(path), EXIT_FINE);
		assert_says(behind(o.out, "\"type\":\"end\""), rows[i].why);
	}
}

static void a_killed_recorder_loses_no_snapshot_that_it_told_of(void **state)
{
	struct program p = growth_start("60"), g;
	char *path = in_dir("killed");
	char *argv[] = { getenv("GOTRACE"), "record", pid_text(p.pid), "-o", path,
			 "--json",          "-i",     "20ms",          NULL };
	long told;

	(void)state;
	g = program_start(argv, NULL);
	do {
		program_expect(&g, "{\"type\":\"recorded\"");
		told = json_number(g.line, "snapshots");
	} while (told < 5);
	kill(g.pid, SIGKILL);
	assert_int_equal(e2e_wait(g.pid), -SIGKILL);
	close(g.out);
	program_stop(&p);
	assert_int_equal(replay(path), EXIT_LOST);
	assert_says(o.err, "byte");
	assert_true(count_of(o.out, "\"type\":\"tick\"") >= told);
	assert_true(json_number(behind(o.out, "\"lost_by\""), "cut") > 0);
}

static void damage_is_told_and_the_rest_replayed(void **state)
{
	struct program p = growth_start("60");
	char *path = in_dir("whole"), *bad = in_dir("bad");
	uint8_t *data;
	size_t bytes;
	unsigned int all;

	(void)state;
	assert_int_equal(record(p.pid, path, "-n", "40", NULL), EXIT_FINE);
	assert_true(program_lives(&p));
	program_stop(&p);
	assert_says(behind(o.out, "\"type\":\"end\""), "\"why\":\"asked\"");
	assert_int_equal(replay(path), EXIT_FINE);
	all = count_of(o.out, "\"type\":\"tick\"");
	bytes = file_read(path, &data);

	file_put(bad, data, bytes * 3 / 4);
	assert_int_equal(replay(bad), EXIT_LOST);
	assert_says(o.err, "cut off at byte ");
	assert_true(count_of(o.out, "\"type\":\"tick\"") > 0);
	assert_true(count_of(o.out, "\"type\":\"tick\"") < all);

	data[bytes * 3 / 4] ^= 1;
	file_put(bad, data, bytes);
	assert_int_equal(replay(bad), EXIT_LOST);
	assert_says(o.err, "damaged at byte ");
	assert_true(count_of(o.out, "\"type\":\"tick\"") > 0);
	assert_true(count_of(o.out, "\"type\":\"tick\"") < all);

	data[offsetof(struct file_header, version)] = 9;
	file_put(bad, data, bytes);
	assert_int_equal(replay(bad), EXIT_NO_TARGET);
	assert_string_equal(o.out, "");
	assert_says(o.err, "version 9 of the format, this gotrace reads up to version 1");
	free(data);

	file_put(bad, "#!/bin/sh\n", 10);
	assert_int_equal(replay(bad), EXIT_NO_TARGET);
	assert_says(o.err, "is not a recording of gotrace: it is text");
}

static void a_file_that_is_there_stays(void **state)
{
	struct program p = sleeper_start(NULL, NULL);
	char *path = in_dir("there");
	uint8_t *data;

	(void)state;
	file_put(path, "mine", 4);
	assert_int_equal(record(p.pid, path, "-n", "1", NULL), EXIT_SYSTEM);
	assert_says(o.err, "File exists");
	assert_says(o.err, "--force");
	assert_int_equal(file_read(path, &data), 4);
	free(data);
	assert_int_equal(record(p.pid, path, "-n", "1", "--force", NULL), EXIT_FINE);
	assert_int_equal(replay(path), EXIT_FINE);
	/* A pid that nobody has leaves no file behind. */
	assert_int_equal(record(pid_absent(), in_dir("absent"), NULL), EXIT_NO_TARGET);
	assert_int_not_equal(access(in_dir("absent"), F_OK), 0);
	assert_int_equal(record(p.pid, "/dev/null", "--force", NULL), EXIT_SYSTEM);
	assert_says(o.err, "not a regular file");
	/* Only a file can be emptied: nobody is told to try. */
	assert_int_equal(record(p.pid, "/dev/null", NULL), EXIT_SYSTEM);
	assert_says(o.err, "not a regular file");
	assert_says(o.err, "records to stdout");
	assert_int_equal(record(p.pid, "/tmp", NULL), EXIT_SYSTEM);
	assert_says(o.err, "Is a directory");
	assert_null(strstr(o.err, "hint"));
	assert_int_equal(record(p.pid, in_dir("small"), "--max-size", "1K", NULL), EXIT_USAGE);
	program_stop(&p);
}

static void a_size_limit_ends_in_order(void **state)
{
	struct program p = growth_start("60");
	char *path = in_dir("limit");
	struct stat st;
	long snapshots;

	(void)state;
	assert_int_equal(record(p.pid, path, "--max-size", "64K", NULL), EXIT_FINE);
	program_stop(&p);
	assert_says(o.out, "\"is_full\":true");
	snapshots = json_number(behind(o.out, "\"type\":\"totals\""), "snapshots");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, json_number(behind(o.out, "\"type\":\"totals\""), "bytes"));
	assert_true(st.st_size <= 64 << 10);
	assert_int_equal(replay(path), EXIT_FINE);
	assert_int_equal(count_of(o.out, "\"type\":\"tick\""), snapshots);
}

static void a_full_disk_is_told_and_what_fitted_replayed(void **state)
{
	struct program p = growth_start("60");
	char *disk = in_dir("disk");
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	char *argv[] = { "gotrace", "record", pid_text(p.pid), "-o", "-", NULL };
	long snapshots;

	(void)state;
	gotrace_run(&o, NULL, full, argv);
	close(full);
	assert_code(&o, EXIT_SYSTEM);
	assert_says(o.err, "cannot record to stdout: No space left on device");

	mkdir(disk, 0700);
	if (!mounts_own() || mount("none", disk, "tmpfs", 0, "size=" DISK_BYTES) < 0) {
		printf("a small disk: not permitted\n");
		program_stop(&p);
		return;
	}
	assert_int_equal(record(p.pid, in_dir("disk/full"), NULL), EXIT_SYSTEM);
	program_stop(&p);
	assert_says(o.err, "No space left on device; what was recorded until then can be replayed");
	assert_says(o.out, "\"has_failed\":true");
	snapshots = json_number(behind(o.out, "\"type\":\"totals\""), "snapshots");
	assert_true(snapshots > 0);
	assert_int_equal(replay(in_dir("disk/full")), EXIT_LOST);
	assert_says(o.err, "ends without an end");
	assert_int_equal(count_of(o.out, "\"type\":\"tick\""), snapshots);
	umount(disk);
}

static void its_json_fits_its_schema(void **state)
{
	struct program p = sleeper_start(NULL, NULL);
	char *schema = in_dir("schema"), *lines = in_dir("lines");

	(void)state;
	gotrace_on(&o, NULL, "schema", "record");
	assert_code(&o, EXIT_FINE);
	file_put(schema, o.out, strlen(o.out));
	assert_int_equal(record(p.pid, in_dir("json"), "-n", "3", NULL), EXIT_FINE);
	program_stop(&p);
	file_put(lines, o.out, strlen(o.out));
	assert_int_equal(count_of(o.out, "\"type\":\"recorded\""), 3);
	if (schema_can_judge())
		assert_true(schema_file_holds(schema, lines));
}

/* A command from its first instruction on; its own output is not in the recording. */
static void a_command_is_recorded_from_its_start(void **state)
{
	char *path = in_dir("command");
	char *argv[] = {
		"gotrace", "record", "-o",        path,
		"-i",      "100ms",  "--",        (char *)e2e_path("EXAMPLES_DIR", "growth"),
		"--fifos", "11",     "--seconds", "1",
		NULL
	};

	(void)state;
	gotrace_run(&o, NULL, -1, argv);
	assert_code(&o, EXIT_FINE);
	assert_says(o.out, "done: 11 blocked in FIFOs");
	assert_int_equal(replay(path), EXIT_FINE);
	assert_says(o.out, "attached before its runtime started: nothing was missed");
	assert_says(behind(o.out, "\"type\":\"end\""), "\"why\":\"exited\"");
	assert_true(json_number(behind(o.out, "\"since_start\""), "threads_made") >= 11);
}

static int dir_make(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int dir_remove(void **state)
{
	char *argv[] = { "/bin/rm", "-rf", dir, NULL };
	struct program p = program_start(argv, NULL);

	(void)state;
	e2e_wait(p.pid);
	close(p.out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_replay_says_what_the_program_and_the_recorder_say),
		cmocka_unit_test(a_pipe_is_a_file),
		cmocka_unit_test(the_end_of_the_target_is_recorded),
		cmocka_unit_test(a_killed_recorder_loses_no_snapshot_that_it_told_of),
		cmocka_unit_test(damage_is_told_and_the_rest_replayed),
		cmocka_unit_test(a_file_that_is_there_stays),
		cmocka_unit_test(a_size_limit_ends_in_order),
		cmocka_unit_test(its_json_fits_its_schema),
		cmocka_unit_test(a_command_is_recorded_from_its_start),
		/* Last: goes on in a mount namespace of its own. */
		cmocka_unit_test(a_full_disk_is_told_and_what_fitted_replayed),
	};

	e2e_init();
	return cmocka_run_group_tests(tests, dir_make, dir_remove);
}
