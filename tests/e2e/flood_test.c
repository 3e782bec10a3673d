/* SPDX-License-Identifier: MIT */
/*
 * flood_test.c - every probe armed on a program that does nothing but hit them: what is not recorded is
 * counted as lost, gotrace's memory stays bounded, and what it counted is what the program did, by the program's
 * own books.
 */
#include "e2e.h"

#include <sys/resource.h>

#define MEMORY_MAX_KB (64 << 10)

static struct outcome o;

static bool has_probes(void)
{
	gotrace_on(&o, NULL, "doctor", NULL);
	return strstr(o.out, "yes  probes by one uprobe_multi link") != NULL;
}

static struct program flood_start(void)
{
	char *argv[] = { (char *)e2e_path("TRACEE_DIR", "flood"), NULL };
	struct program p = program_start(argv, NULL);

	program_expect(&p, "ready");
	return p;
}

static void probes_need(void)
{
	if (!has_probes()) {
		print_message("no uprobe_multi on this kernel\n");
		skip();
	}
}

/* Peak memory of what has been waited for so far is that of its largest child. */
static long children_peak_kb(void)
{
	struct rusage u;

	getrusage(RUSAGE_CHILDREN, &u);
	return u.ru_maxrss;
}

static void test_a_flood_is_lost_aloud_and_in_bounded_memory(void **state)
{
	char pid[16], path[] = "/tmp/flood_test.XXXXXX";
	char *argv[] = { "gotrace", "record",     pid,     "-o",     path,
			 "--force", "--all",      "--for", "2s",     "--max-overhead",
			 "0%",      "--max-size", "256M",  "--json", NULL };
	struct program p = flood_start();
	const char *end;
	long hits, lost;

	(void)state;
	probes_need();
	close(mkstemp(path));
	snprintf(pid, sizeof(pid), "%d", p.pid);

	gotrace_run(&o, NULL, -1, argv);

	unlink(path);
	end = strstr(o.out, "\"type\":\"end\"");
	if (!end)
		fail_msg("no end: %d\n%s%s", o.code, o.out, o.err);
	hits = json_number(end, "probe_hits");
	lost = json_number(end, "lost");
	print_message("%ld hits in 2 s, %ld lost, %ld kB\n", hits, lost, children_peak_kb());
	/* It was a flood, or the test shows nothing. */
	assert_true(hits > 100000);
	/* Loss is no success. */
	assert_int_equal(o.code, lost ? 3 : 0);
	assert_true(lost < hits);
	assert_in_range(children_peak_kb(), 1, MEMORY_MAX_KB);
	/* And the target is unharmed. */
	kill(p.pid, SIGTERM);
	program_expect(&p, "calls: ");
	assert_int_equal(e2e_wait(p.pid), 0);
	close(p.out);
}

/* Until every probe of the target is armed: by then the recording has begun. */
static void armed_await(const char *pid)
{
	char *argv[] = { "gotrace", "probes", "--json", (char *)pid, NULL };

	do {
		gotrace_run(&o, NULL, -1, argv);
		assert_int_equal(o.code, 0);
	} while (strstr(o.out, "\"armed\":false"));
}

/* Two hits a call, and the few of threads and Ps that start: no hit is missed, whatever becomes of records. */
static void test_every_call_of_a_flood_is_counted(void **state)
{
	char pid[16], path[] = "/tmp/flood_test.XXXXXX", *at;
	char *argv[] = {
		(char *)getenv("GOTRACE"), "record", pid,      "-o", path, "--force", "--all",
		"--max-overhead",          "0%",     "--json", NULL
	};
	struct timespec a_while = { .tv_nsec = 300000000 };
	struct program p, g;
	long calls, hits;
	int gate, fd;

	(void)state;
	probes_need();
	close(mkstemp(path));
	p = program_at_gate("flood", NULL, &gate, &fd);
	snprintf(pid, sizeof(pid), "%d", p.pid);
	g = program_start(argv, NULL);
	armed_await(pid);
	assert_int_equal(write(gate, "", 1), 1);
	nanosleep(&a_while, NULL); /* how much of a flood it is does not matter */
	kill(p.pid, SIGTERM);
	program_expect(&p, "calls: ");
	calls = strtol(p.line + strlen("calls: "), NULL, 10);
	program_expect(&g, "{\"type\":\"end\"");
	e2e_wait(g.pid);
	unlink(path);
	at = strstr(g.line, "\"probe_hits\"");
	assert_non_null(at);
	hits = json_number(at, "probe_hits");
	print_message("%ld calls, %ld hits\n", calls, hits);
	assert_true(calls > 0);
	assert_in_range(hits, 2 * calls, 2 * calls + calls / 50 + 1000);
	assert_int_equal(e2e_wait(p.pid), 0);
	close(gate);
	close(p.out);
	close(g.out);
}

static void test_a_flood_sheds_probes_by_default(void **state)
{
	char pid[16], path[] = "/tmp/flood_test.XXXXXX";
	char *argv[] = { "gotrace", "record", pid,  "-o",     path, "--force",
			 "--all",   "--for",  "4s", "--json", NULL };
	struct program p = flood_start();
	const char *end;

	(void)state;
	probes_need();
	close(mkstemp(path));
	snprintf(pid, sizeof(pid), "%d", p.pid);

	gotrace_run(&o, NULL, -1, argv);

	unlink(path);
	end = strstr(o.out, "\"type\":\"end\"");
	if (!end)
		fail_msg("no end: %d\n%s%s", o.code, o.out, o.err);
	assert_in_range(json_number(end, "armed_permill"), 1, 999);
	program_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_flood_is_lost_aloud_and_in_bounded_memory),
		cmocka_unit_test(test_every_call_of_a_flood_is_counted),
		cmocka_unit_test(test_a_flood_sheds_probes_by_default),
	};

	e2e_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
