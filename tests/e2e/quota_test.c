/* SPDX-License-Identifier: MIT */
/*
 * quota_test.c - C21: goroutines that wait for a CPU, told apart: because their cgroup's quota is used up, or
 * because others have the CPUs. The cgroup is a real one, made for the test; its weight lets it have all that
 * its quota allows, whatever else runs.
 */
#define _GNU_SOURCE
#include "sick.h"

#include <sched.h>

#define PERIOD_US 1000000
#define QUOTA_US 400000
#define PERIODS 6
#define PROCS 2
#define SEC_NS 1000000000ll

static char group[128]; /* its directory; empty: none */
static bool is_v1;
static const char *said;
static struct program busy;

static bool group_write(const char *name, const char *value)
{
	char path[192];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", group, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : write(fd, value, strlen(value));
	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(value);
}

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SEC_NS + ts.tv_nsec;
}

/* So far, as the cgroup itself says. */
static long long throttled_ns(void)
{
	const char *word = is_v1 ? "throttled_time" : "throttled_usec";
	long long found = -1;
	char line[128], path[192];
	FILE *f;

	snprintf(path, sizeof(path), "%s/cpu.stat.local", group);
	f = fopen(path, "re");
	if (!f) {
		snprintf(path, sizeof(path), "%s/cpu.stat", group);
		f = fopen(path, "re");
	}
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, word, strlen(word)))
			found = strtoll(line + strlen(word), NULL, 10) * (is_v1 ? 1 : 1000);
	fclose(f);
	assert_true(found >= 0);
	return found;
}

static bool group_make(const char *root)
{
	snprintf(group, sizeof(group), "%s/gotrace-quota-%d", root, getpid());
	if (mkdir(group, 0755) == 0)
		return true;
	group[0] = 0;
	return false;
}

static bool quota_set(void)
{
	char text[64];

	if (is_v1) {
		snprintf(text, sizeof(text), "%d", PERIOD_US);
		if (!group_write("cpu.cfs_period_us", text))
			return false;
		snprintf(text, sizeof(text), "%d", QUOTA_US);
		return group_write("cpu.cfs_quota_us", text) && group_write("cpu.shares", "262144");
	}
	snprintf(text, sizeof(text), "%d %d", QUOTA_US, PERIOD_US);
	return group_write("cpu.max", text) && group_write("cpu.weight", "10000");
}

/* After a test that failed, too. */
static int clean_up(void **state)
{
	(void)state;
	if (busy.pid)
		program_stop(&busy);
	busy.pid = 0;
	/* Who was killed in it leaves it a little later. */
	for (int i = 0; group[0] && rmdir(group) != 0 && i < 1000; i++)
		usleep(1000);
	group[0] = 0;
	return 0;
}

/* The first version's cpu controller, or the second's where it is given to groups of the root. */
static void given_quota(void)
{
	is_v1 = true;
	if (!group_make("/sys/fs/cgroup/cpu") && !group_make("/sys/fs/cgroup/cpu,cpuacct")) {
		is_v1 = false;
		group_make("/sys/fs/cgroup");
	}
	if (group[0] && quota_set())
		return;
	clean_up(NULL);
	print_message("no cpu cgroup with a quota can be made here\n");
	skip();
}

/* A goroutine on each of PROCS Ps, which computes. */
static void busy_start(void)
{
	char pid[16];
	int gate, target_fd;

	setenv("GOMAXPROCS", "2", 1);
	busy = program_at_gate("busy", NULL, &gate, &target_fd);
	unsetenv("GOMAXPROCS");
	snprintf(pid, sizeof(pid), "%d", busy.pid);
	if (group[0])
		assert_true(group_write("cgroup.procs", pid));
	assert_int_equal(write(gate, "", 1), 1);
	close(gate);
	program_expect(&busy, "busy");
}

static bool is_whole(const char *json, const void *unused)
{
	(void)unused;
	return strstr(json, "\"type\":\"end\"") != NULL;
}

static const char *last_of(const char *text, const char *word)
{
	const char *last = NULL;

	for (; (text = strstr(text, word)) != NULL; text++)
		last = text;
	assert_non_null(last);
	return last;
}

struct cpu {
	long long ran_ns, waited_ns, throttled_ns, watched_ns;
	const char *text;
};

/* Rows of a second; what the last of them says of the time since the first. */
static struct cpu cpu_of(const char *rows)
{
	char *options[] = { "--json", "-i", "1s", "-n", (char *)rows, NULL };
	const char *last;
	struct cpu c;

	said = gotrace_until(busy.pid, "threads", options, is_whole, NULL);
	last = last_of(said, "\"type\":\"tick\"");
	c.text = strstr(last, "\"cpu\":{");
	if (!c.text) {
		print_message("this kernel does not tell how long threads waited\n");
		skip();
	}
	c.watched_ns = json_number(last, "time_ns") -
		       json_number(strstr(said, "\"type\":\"tick\""), "time_ns");
	c.ran_ns = json_number(c.text, "ran_ns");
	c.waited_ns = json_number(c.text, "waited_ns");
	c.throttled_ns = json_number(c.text, "throttled_ns");
	return c;
}

#define EXPECT_NEAR(value, want) \
	assert_in_range((value), (long long)((want)*0.95), (long long)((want)*1.05))

static void test_c21_a_quota_used_up_is_told_from_a_busy_machine(void **state)
{
	long long throttled, outer_ns;
	struct cpu c;

	(void)state;
	given_quota();
	busy_start();

	outer_ns = now_ns();
	throttled = throttled_ns();
	c = cpu_of("7");
	throttled = throttled_ns() - throttled;
	outer_ns = now_ns() - outer_ns;

	print_message("of %lld ms on a P: ran %lld, waited %lld, throttled %lld\n",
		      c.watched_ns / 1000000 * PROCS, c.ran_ns / 1000000, c.waited_ns / 1000000,
		      c.throttled_ns / 1000000);
	EXPECT_NEAR(c.ran_ns + c.waited_ns, (double)c.watched_ns * PROCS);
	/* The watching may begin and end anywhere in a period. */
	assert_in_range(c.ran_ns, (PERIODS - 1) * QUOTA_US * 1000ll,
			(PERIODS + 1) * QUOTA_US * 1000ll);
	/* What the cgroup says was read a little before and after: no more than that can be missing. */
	assert_in_range(c.throttled_ns, throttled * 95 / 100 - PROCS * (outer_ns - c.watched_ns),
			throttled);
	assert_true(c.throttled_ns * 2 > c.waited_ns);
	assert_int_equal(json_number(c.text, "quota_ns"), QUOTA_US * 1000ll);
	assert_int_equal(json_number(c.text, "period_ns"), PERIOD_US * 1000ll);
	assert_in_range(json_number(c.text, "throttled_periods"), PERIODS - 1, PERIODS + 1);
}

static bool is_throttled(const char *screen, const void *unused)
{
	(void)unused;
	return strstr(screen, "throttled by its cgroup's quota") &&
	       strstr(screen, "used up in 1 of 1 periods");
}

static void test_c21_who_is_throttled_is_no_hostage(void **state)
{
	char *by_m[] = { "--by-m", "-i", "1s", "-n", "2", NULL }, *json[] = { "--json", NULL };

	(void)state;
	given_quota();
	busy_start();
	cpu_of("1");

	gotrace_until(busy.pid, "threads", by_m, is_throttled, NULL);
	for (int i = 0; i < 10; i++)
		assert_says(gotrace_until(busy.pid, "blocked", json, is_whole, NULL),
			    "\"hostages\":[]");
}

static void test_c21_others_on_the_cpus_are_no_quota(void **state)
{
	cpu_set_t all, one;
	struct cpu c;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	busy_start();
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);

	c = cpu_of("3");

	EXPECT_NEAR(c.ran_ns + c.waited_ns, (double)c.watched_ns * PROCS);
	assert_true(c.waited_ns * 100 >= c.watched_ns * 95); /* there is one CPU for two */
	assert_int_equal(c.throttled_ns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_c21_a_quota_used_up_is_told_from_a_busy_machine,
					  clean_up),
		cmocka_unit_test_teardown(test_c21_who_is_throttled_is_no_hostage, clean_up),
		cmocka_unit_test_teardown(test_c21_others_on_the_cpus_are_no_quota, clean_up),
	};

	e2e_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
