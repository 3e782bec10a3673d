/* SPDX-License-Identifier: MIT */
/*
 * blocked_test.c - `gotrace blocked` on programs that know the truth about themselves: how many
 * wait, in what, on what; what its options leave out; what the target pays; field cases C01, C03,
 * C05.
 */
#include <fcntl.h>

#include "../unit/schema.h"
#include "sick.h"

#define READERS 97

static struct sick_room room;
static const char *said; /* by the gotrace that ran last */

static void blocked_until(pid_t pid, long n, char *const options[])
{
	said = gotrace_until(pid, "blocked", options, are_blocked, &n);
}

/* The object between the braces of its first group. */
static long groups_threads(const char *json)
{
	return json_number(strstr(json, "\"groups\":["), "threads");
}

static void test_97_readers_of_97_fifos_are_97_rows(void **state)
{
	char *options[] = { "--json", NULL }, name[64];
	struct program p = readers_start("97", "0", NULL);

	(void)state;
	blocked_until(p.pid, READERS, options);
	assert_int_equal(json_number(said, "blocked"), READERS);
	for (int i = 0; i < READERS; i++) {
		snprintf(name, sizeof(name), "/fifo-%d\",\"kind\":\"FIFO\",\"note\"", i);
		assert_int_equal(count_of(said, name), 1);
	}
	program_stop(&p);
}

static void test_97_readers_of_97_fifos_are_one_group(void **state)
{
	char *by_call[] = { "--by-call", NULL }, *json[] = { "--by-call", "--json", NULL };
	char text[PATH_MAX];
	struct program p = readers_start("97", "0", NULL);

	(void)state;
	blocked_until(p.pid, READERS, json);
	assert_int_equal(groups_threads(said), READERS);
	assert_int_equal(json_number(strstr(said, "\"groups\":["), "objects"), READERS);
	assert_says(strstr(said, "\"groups\":["), "\"kind\":\"FIFO\"");
	said = gotrace_until(p.pid, "blocked", by_call, is_any, NULL);
	snprintf(text, sizeof(text), "97 blocked: 97 in read(97 FIFOs: %s/growth-", e2e_tmp());
	assert_says(said, text);
	assert_says(said, "/fifo-*)");
	program_stop(&p);
}

static void test_threads_asleep_before_we_came_have_a_time(void **state)
{
	char *options[] = { "--json", NULL }, *longer[] = { "--min", "1h", "--json", NULL };
	struct program p = readers_start("97", "0", NULL);

	(void)state;
	blocked_until(p.pid, READERS, options);
	assert_int_equal(count_of(said, "\"for_ns\":null"), 0);
	blocked_until(p.pid, READERS, longer);
	assert_says(said, "\"ms\":[]");
	program_stop(&p);
}

/* The clocks that tell of it are read anew at each look. */
static void test_one_sleep_has_one_beginning(void **state)
{
	char *options[] = { "--watch", "--json", "-i50ms", "-n5", NULL };
	struct program p = readers_start("97", "0", NULL);
	int64_t since_ns = 0;
	const char *tick;

	(void)state;
	blocked_until(p.pid, READERS, (char *[]){ "--json", NULL });
	said = gotrace_until(p.pid, "blocked", options, is_any, NULL);
	tick = strstr(said, "{\"type\":\"blocked\"");
	for (int i = 0; i < 5; i++, tick = strstr(tick + 1, "{\"type\":\"blocked\"")) {
		int64_t ns;

		assert_non_null(tick);
		ns = json_number(tick, "time_ns") - json_number(strstr(tick, "\"ms\":["), "for_ns");
		if (i)
			assert_int_equal(ns, since_ns);
		since_ns = ns;
	}
	program_stop(&p);
}

/* One look: nothing is armed in the target, no event is told of. */
static void test_the_first_screen_needs_no_probe(void **state)
{
	char *options[] = { "--json", NULL };
	struct program p = readers_start("97", "0", NULL);

	(void)state;
	blocked_until(p.pid, READERS, options);
	assert_int_equal(json_number(said, "wanted"), 0);
	assert_int_equal(json_number(said, "probe_hits"), 0);
	program_stop(&p);
}

static void test_options_choose_rows(void **state)
{
	char *by_fd[] = { "--fd", "7", "--json", NULL };
	char *other_call[] = { "--call", "write", "--json", NULL };
	char *sampled[] = { "--sample", "--call", "read", "--json", NULL };
	struct program p = readers_start("97", "0", NULL);

	(void)state;
	blocked_until(p.pid, READERS, by_fd);
	assert_int_equal(count_of(said, "\"descriptor\":{\"fd\":7,"), 1);
	assert_int_equal(count_of(said, "\"tid\":"), 1);
	blocked_until(p.pid, READERS, other_call);
	assert_says(said, "\"ms\":[]");
	blocked_until(p.pid, READERS, sampled);
	assert_int_equal(count_of(said, "\"descriptor\":{\"fd\":"), READERS);
	program_stop(&p);
}

static struct outcome out;

/* Without BPF the kernel's own files tell: all of the stack to root, one function to the owner. */
static void test_without_bpf_the_wait_point_is_known_all_the_same(void **state)
{
	char *options[] = { "--sample", "--json", NULL }, pid[16];
	char *own[] = { "gotrace", "blocked", "--json", pid, NULL };
	struct program p = readers_start("97", "0", NULL);

	(void)state;
	/* Whoever has run between two looks at its files is not told of. */
	do
		blocked_until(p.pid, READERS, options);
	while (count_of(said, "\"wait_point\":null"));
	assert_int_equal(count_of(said, "pipe_read\",\"where\""), READERS);
	program_stop(&p);

	if (geteuid() != 0) {
		print_message("its owner: not tried, we are not root\n");
		return;
	}
	p = program_start((char *[]){ (char *)e2e_path("EXAMPLES_DIR", "growth"), "--fifos", "3",
				      "--seconds", "100", NULL },
			  e2e_as_nobody);
	program_expect(&p, "ready");
	snprintf(pid, sizeof(pid), "%d", p.pid);
	do
		gotrace_run(&out, e2e_as_nobody, -1, own);
	while (json_number(out.out, "blocked") < 3);
	assert_int_equal(json_number(out.out, "level"), 0);
	assert_true(count_of(out.out, "pipe_read\",\"where\"") == 3);
	program_stop(&p);
}

static void refused(char *const argv[], const char *why)
{
	gotrace_run(&out, NULL, -1, argv);
	assert_code(&out, 2);
	assert_says(out.err, why);
}

static void test_wrong_options_are_refused(void **state)
{
	char *call[] = { "gotrace", "blocked", "--call", "raed", "1", NULL };
	char *both[] = { "gotrace", "blocked", "--by-call", "--by-stack", "1", NULL };
	char *fd[] = { "gotrace", "blocked", "--fd", "99999999999", "1", NULL };

	(void)state;
	refused(call, "no such system call");
	assert_says(out.err, "hint:");
	refused(both, "one of them");
	refused(fd, "too large");
}

static bool has_heir(const char *text, const void *unused)
{
	(void)unused;
	return strstr(text, "\"heir\":{\"m\":") != NULL;
}

static void test_watching_tells_who_got_the_p(void **state)
{
	char *options[] = { "--watch", "--json", "-i", "50ms", "-n", "4", NULL };
	struct program p;

	(void)state;
	sick_room_open(&room);
	p = sick_start(&room, "fifo", "200");
	gotrace_until(p.pid, "blocked", options, has_heir, NULL);
	program_stop(&p);
	sick_room_close(&room);
}

/*
 * C01: the path of an open that never ends is in its argument only; a name that is gone changes
 * nothing.
 */
static void test_c01_opens_of_a_fifo_are_one_group_with_its_path(void **state)
{
	char *options[] = { "--by-call", "--json", NULL }, want[128];
	struct program p;
	int writer;
	const long none = 0;

	(void)state;
	sick_room_open(&room);
	p = sick_start(&room, "fifo_open", "0");
	snprintf(want, sizeof(want), "\"call\":\"openat(%s)\",\"where\"", room.fifo);
	blocked_until(p.pid, 20, options);
	assert_int_equal(json_number(said, "blocked"), 20);
	assert_int_equal(groups_threads(said), 20);
	assert_says(said, want);

	writer = open(room.fifo, O_RDWR | O_CLOEXEC);
	assert_true(writer >= 0);
	do
		blocked_until(p.pid, none, options);
	while (json_number(said, "blocked") != 0);
	close(writer);
	program_stop(&p);
	sick_room_close(&room);
}

/* The path of the one group of 20, as its call is written in a row and in the group. */
static void assert_c01(const struct program *p, const char *written, const char *brief)
{
	char *options[] = { "--by-call", "--json", NULL }, want[256];

	blocked_until(p->pid, 20, options);
	assert_int_equal(groups_threads(said), 20);
	snprintf(want, sizeof(want), "\"text\":\"openat(AT_FDCWD, \\\"%s, ", written);
	assert_int_equal(count_of(said, want), 20);
	snprintf(want, sizeof(want), "\"call\":\"openat(%s)\",\"where\"", brief);
	assert_says(said, want);
}

static void test_c01_a_removed_name_wakes_nobody_and_is_marked(void **state)
{
	char written[128], brief[128];
	struct program p;

	(void)state;
	sick_room_open(&room);
	p = sick_start(&room, "fifo_open", "0");
	snprintf(written, sizeof(written), "%s\\\"<FIFO>", room.fifo);
	assert_c01(&p, written, room.fifo);
	assert_says(strstr(said, "\"groups\":["), "\"kind\":\"FIFO\"");
	assert_int_equal(unlink(room.fifo), 0);
	snprintf(written, sizeof(written), "%s (deleted)\\\"", room.fifo);
	snprintf(brief, sizeof(brief), "%s (deleted)", room.fifo);
	assert_c01(&p, written, brief);
	program_stop(&p);
	sick_room_close(&room);
}

/* Whoever watches while the name goes sees it go, though the call is the same; and what it was. */
static void test_c01_a_name_is_seen_to_go(void **state)
{
	char *argv[16] = { (char *)getenv("GOTRACE"), "blocked", "--json", "-w", "-i", "20ms" };
	char *options[] = { "--json", NULL }, want[256], pid[16];
	struct program p, watch;

	(void)state;
	sick_room_open(&room);
	p = sick_start(&room, "fifo_open", "0");
	blocked_until(p.pid, 20, options);
	snprintf(pid, sizeof(pid), "%d", p.pid);
	argv[6] = pid;
	watch = program_start(argv, NULL);
	do
		program_expect(&watch, "{\"type\":\"blocked\"");
	while (!strstr(watch.line, "\"kind\":\"FIFO\""));
	assert_int_equal(unlink(room.fifo), 0);
	snprintf(want, sizeof(want), "openat(%s (deleted))", room.fifo);
	do
		program_expect(&watch, "{\"type\":\"blocked\"");
	while (!strstr(watch.line, want));
	assert_says(watch.line, "\"kind\":\"FIFO\"");
	program_stop(&watch);
	program_stop(&p);
	sick_room_close(&room);
}

/* C03: the runtime's poller is told apart by its descriptor, not by its call. */
static void test_c03_private_epoll_waits_are_blocked_and_the_poller_is_not(void **state)
{
	char *options[] = { "--json", NULL }, *watch[] = { "--json", "-n", "1", NULL };
	struct program p;

	(void)state;
	sick_room_open(&room);
	p = sick_start(&room, "epoll", "0");
	blocked_until(p.pid, 20, options);
	assert_int_equal(json_number(said, "blocked"), 20);
	assert_int_equal(count_of(said, "\"name\":\"epoll_wait\""), 20);
	said = gotrace_until(p.pid, "threads", watch, are_blocked, &(const long){ 20 });
	assert_true(json_number(said, "polling") <= 1);
	program_stop(&p);
	sick_room_close(&room);
}

/* C05: one thread is stuck, and the goroutines behind its lock are not forgotten. */
static void test_c05_one_write_is_stuck_and_99_goroutines_are_parked(void **state)
{
	char *options[] = { "--json", NULL };
	struct program p;
	long parked;

	(void)state;
	sick_room_open(&room);
	p = sick_start(&room, "full_pipe", "0");
	blocked_until(p.pid, 1, options);
	assert_int_equal(json_number(said, "blocked"), 1);
	assert_says(said, "\"text\":\"write(");
	assert_says(said, ", 4000)\"");
	/* 99 loggers, and some of the 11 that sleep by timer. */
	parked = json_number(said, "goroutines_parked");
	assert_in_range(parked, 99, 99 + 12);
	said = gotrace_until(p.pid, "blocked", NULL, is_any, NULL);
	assert_says(said, "1 blocked: 1 in write(pipe:[");
	assert_says(said, "parked:");
	program_stop(&p);
	sick_room_close(&room);
}

static void test_real_output_fits_the_schema(void **state)
{
	char schema[] = "/tmp/blocked_schema.XXXXXX", json[] = "/tmp/blocked_json.XXXXXX", pid[16];
	char *print[] = { "gotrace", "schema", "blocked", NULL };
	char *argv[] = { "gotrace", "blocked", "--json", "-n", "3", "-i", "20ms", pid, NULL };
	int schema_fd = mkstemp(schema), json_fd = mkstemp(json);
	struct program p = readers_start("97", "0", NULL);

	(void)state;
	snprintf(pid, sizeof(pid), "%d", p.pid);
	gotrace_run(&out, NULL, schema_fd, print);
	assert_code(&out, 0);
	gotrace_run(&out, NULL, json_fd, argv);
	assert_code(&out, 0);
	assert_true(schema_file_holds(schema, json));
	unlink(schema);
	unlink(json);
	close(schema_fd);
	close(json_fd);
	program_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_97_readers_of_97_fifos_are_97_rows),
		cmocka_unit_test(test_97_readers_of_97_fifos_are_one_group),
		cmocka_unit_test(test_threads_asleep_before_we_came_have_a_time),
		cmocka_unit_test(test_one_sleep_has_one_beginning),
		cmocka_unit_test(test_the_first_screen_needs_no_probe),
		cmocka_unit_test(test_options_choose_rows),
		cmocka_unit_test(test_without_bpf_the_wait_point_is_known_all_the_same),
		cmocka_unit_test(test_wrong_options_are_refused),
		cmocka_unit_test(test_watching_tells_who_got_the_p),
		cmocka_unit_test(test_c01_opens_of_a_fifo_are_one_group_with_its_path),
		cmocka_unit_test(test_c01_a_removed_name_wakes_nobody_and_is_marked),
		cmocka_unit_test(test_c01_a_name_is_seen_to_go),
		cmocka_unit_test(test_c03_private_epoll_waits_are_blocked_and_the_poller_is_not),
		cmocka_unit_test(test_c05_one_write_is_stuck_and_99_goroutines_are_parked),
		cmocka_unit_test(test_real_output_fits_the_schema),
	};

	e2e_init();
	if (!getenv("EXAMPLES_DIR"))
		e2e_skip("EXAMPLES_DIR is not set");
	if (!schema_can_judge())
		e2e_skip("python3-jsonschema is not installed");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
