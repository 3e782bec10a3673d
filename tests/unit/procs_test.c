/* SPDX-License-Identifier: MIT */
/*
 * procs_test.c - how many Ps: each text alone, trees of files as kernels and containers lay them
 * out, and a real process in a real cgroup, whose quota is read below the floor that the count has.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../runtime/config.h"
#include "../../runtime/procs.h"

#define CPUS 64
#define V1 "33 32 0:29 / /cg/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
#define V2 "41 31 0:38 / /cg2 rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define OTHERS                                                            \
	"22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"                 \
	"34 32 0:30 / /cg/cpuset rw,relatime - cgroup cgroup rw,cpuset\n" \
	"35 32 0:31 / /cg/acct rw,relatime - cgroup cgroup rw,cpuacct\n"

#define assert_cpus(got, want) assert_true(fabs_of((got) - (want)) < 1e-9)

static double fabs_of(double x)
{
	return x < 0 ? -x : x;
}

/* --- one text --------------------------------------------------------------------------------- */

static void test_cpu_max_is_quota_by_period(void **state)
{
	(void)state;
	assert_cpus(quota_parse_v2("250000 100000\n"), 2.5);
	assert_cpus(quota_parse_v2("50000 100000\n"), 0.5);
	assert_cpus(quota_parse_v2("400000 1000000\n"), 0.4);
	assert_cpus(quota_parse_v2("max 100000\n"), 0);
}

static void test_cfs_files_are_quota_by_period(void **state)
{
	(void)state;
	assert_cpus(quota_parse_v1("400000\n", "1000000\n"), 0.4);
	assert_cpus(quota_parse_v1("300000\n", "100000\n"), 3);
	assert_cpus(quota_parse_v1("-1\n", "100000\n"), 0);
}

static void test_what_is_no_quota_limits_nothing(void **state)
{
	static const char *const texts[] = {
		"",           "\n",         "250000",      "250000 ",   "x 100000",
		"250000 x",   "250000 0",   "0 100000",    "-5 100000", "250000 -1",
		"25x 100000", "250000 10x", " 250000 100", "max",       "maximum 100",
		"1e3 100",    "0x10 10",    "1 2 3 4 5"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_cpus(quota_parse_v2(texts[i]), 0);
	assert_cpus(quota_parse_v2("99999999999999999999 100000"), 0);
	assert_cpus(quota_parse_v2("00000000000000000000000000000000001 1"), 0);
	assert_cpus(quota_parse_v1("", "100000"), 0);
	assert_cpus(quota_parse_v1("400000", ""), 0);
	assert_cpus(quota_parse_v1("400000", "0"), 0);
	assert_cpus(quota_parse_v1("many", "100000"), 0);
}

/* --- choosing --------------------------------------------------------------------------------- */

static void test_a_quota_is_rounded_up(void **state)
{
	(void)state;
	assert_int_equal(procs_choose(NULL, CPUS, 2.5), 3);
	assert_int_equal(procs_choose(NULL, CPUS, 3), 3);
	assert_int_equal(procs_choose(NULL, CPUS, 3.00001), 4);
	assert_int_equal(procs_choose(NULL, CPUS, 0), CPUS);
}

static void test_a_quota_is_two_at_least_but_no_cpu_that_is_not_there(void **state)
{
	(void)state;
	assert_int_equal(procs_choose(NULL, CPUS, 0.4), 2);
	assert_int_equal(procs_choose(NULL, CPUS, 1), 2);
	assert_int_equal(procs_choose(NULL, 2, 0.4), 2);
	assert_int_equal(procs_choose(NULL, 1, 0.4), 1);
}

static void test_affinity_below_the_quota_counts(void **state)
{
	(void)state;
	assert_int_equal(procs_choose(NULL, 3, 7.5), 3);
	assert_int_equal(procs_choose(NULL, 3, 1e18), 3);
	assert_int_equal(procs_choose(NULL, 5 * PROCS_MAX, 0), PROCS_MAX);
	assert_int_equal(procs_choose(NULL, 5 * PROCS_MAX, 4.0 * PROCS_MAX), PROCS_MAX);
}

static void test_gomaxprocs_overrules_both(void **state)
{
	(void)state;
	assert_int_equal(procs_choose("1", CPUS, 2.5), 1);
	assert_int_equal(procs_choose("+5", 2, 0.4), 5);
	assert_int_equal(procs_choose("100", 2, 0), 100);
	assert_int_equal(procs_choose("5000", 2, 0), PROCS_MAX);
	assert_int_equal(procs_choose("2147483647", 2, 0), PROCS_MAX);
}

static void test_gomaxprocs_that_is_no_number_of_procs_is_as_if_unset(void **state)
{
	static const char *const texts[] = {
		"",    "0",   "-1", "-2147483648", "2147483648", "all", "4x",
		"0x4", "4.0", "4 ", " 4",          "4\n",        "+",   "99999999999999999999999999"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(procs_choose(texts[i], CPUS, 2.5), 3);
}

/* --- a tree of files -------------------------------------------------------------------------- */

static char root[64];

static void given_folder(const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		mkdir(full, 0700);
	}
}

static void given_file(const char *path, const char *text)
{
	char full[PATH_MAX];
	FILE *f;

	given_folder(path);
	snprintf(full, sizeof(full), "%s%s", root, path);
	f = fopen(full, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void given_process(const char *cgroup, const char *mounts)
{
	given_file("/proc/self/cgroup", cgroup);
	given_file("/proc/self/mountinfo", mounts);
}

static int root_make(void **state)
{
	(void)state;
	strcpy(root, "/tmp/procs_test.XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int root_remove(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

static void test_a_group_of_version_2(void **state)
{
	(void)state;
	given_process("0::/app\n", OTHERS V2);
	given_file("/cg2/app/cpu.max", "250000 100000\n");
	assert_cpus(procs_quota(root), 2.5);
}

static void test_the_tightest_of_nested_groups_counts(void **state)
{
	(void)state;
	given_process("0::/a/b/c\n", OTHERS V2);
	given_file("/cg2/a/b/c/cpu.max", "700000 100000\n");
	given_file("/cg2/a/b/cpu.max", "max 100000\n");
	given_file("/cg2/a/cpu.max", "350000 100000\n");
	assert_cpus(procs_quota(root), 3.5);

	given_file("/cg2/a/b/cpu.max", "100000 50000\n");
	assert_cpus(procs_quota(root), 2);

	given_file("/cg2/a/b/c/cpu.max", "100000 100000\n");
	assert_cpus(procs_quota(root), 1);
}

/* Of a container with a namespace of its own: its top has the file. */
static void test_the_top_of_what_is_seen_counts(void **state)
{
	(void)state;
	given_process("0::/\n", OTHERS V2);
	given_file("/cg2/cpu.max", "150000 100000\n");
	assert_cpus(procs_quota(root), 1.5);
}

static void test_a_group_of_version_1(void **state)
{
	(void)state;
	given_process("5:cpuset:/set\n4:cpu,cpuacct:/a/b\n3:name=systemd:/x\n", OTHERS V1);
	given_file("/cg/cpu/a/b/cpu.cfs_quota_us", "400000\n");
	given_file("/cg/cpu/a/b/cpu.cfs_period_us", "1000000\n");
	given_file("/cg/cpu/a/cpu.cfs_quota_us", "-1\n");
	given_file("/cg/cpu/a/cpu.cfs_period_us", "100000\n");
	assert_cpus(procs_quota(root), 0.4);

	given_file("/cg/cpu/a/b/cpu.cfs_quota_us", "-1\n");
	assert_cpus(procs_quota(root), 0);
}

/* Docker without a namespace of cgroups: the path is the machine's, and the mount starts there. */
static void test_a_mount_may_start_below_the_top(void **state)
{
	(void)state;
	given_process("4:cpuacct,cpu:/docker/77/sub\n",
		      OTHERS "9 8 0:29 /docker/77 /cg/cpu ro - cgroup cgroup rw,cpuacct,cpu\n");
	given_file("/cg/cpu/cpu.cfs_quota_us", "300000\n");
	given_file("/cg/cpu/cpu.cfs_period_us", "100000\n");
	given_file("/cg/cpu/sub/cpu.cfs_quota_us", "250000\n");
	given_file("/cg/cpu/sub/cpu.cfs_period_us", "100000\n");
	assert_cpus(procs_quota(root), 2.5);

	given_process("4:cpuacct,cpu:/docker/77\n",
		      OTHERS "9 8 0:29 /docker/77 /cg/cpu ro - cgroup cgroup rw,cpuacct,cpu\n");
	assert_cpus(procs_quota(root), 3);
}

/* A name that merely begins with "cpu", or the version without the controller, decides nothing. */
static void test_where_both_versions_are_the_first_counts(void **state)
{
	(void)state;
	given_process("0::/app\n4:cpu:/app\n", V2 OTHERS V1);
	given_file("/cg2/app/cpu.max", "500000 100000\n");
	given_file("/cg/cpu/app/cpu.cfs_quota_us", "250000\n");
	given_file("/cg/cpu/app/cpu.cfs_period_us", "100000\n");
	assert_cpus(procs_quota(root), 2.5);

	given_process("4:cpu:/app\n0::/app\n", V1 V2);
	assert_cpus(procs_quota(root), 2.5);

	given_process("4:cpuset:/app\n2:cpuacct:/app\n0::/app\n", OTHERS V2);
	assert_cpus(procs_quota(root), 5);
}

static void test_what_is_missing_limits_nothing(void **state)
{
	(void)state;
	assert_cpus(procs_quota(root), 0);
	given_file("/proc/self/cgroup", "0::/app\n");
	assert_cpus(procs_quota(root), 0);
	given_process("0::/app\n", OTHERS);
	assert_cpus(procs_quota(root), 0);
	given_process("0::/app\n", V2);
	assert_cpus(procs_quota(root), 0);

	given_process("4:cpu:/app\n", V1);
	given_file("/cg/cpu/app/cpu.cfs_quota_us", "400000\n");
	assert_cpus(procs_quota(root), 0);
}

static void test_garbage_limits_nothing(void **state)
{
	static const char *const cgroups[] = { "",   "\n",  "::",       "0",
					       "0:", "0::", "0::app\n", ":::::\n" };

	(void)state;
	given_file("/cg2/cpu.max", "250000 100000\n");
	for (size_t i = 0; i < sizeof(cgroups) / sizeof(cgroups[0]); i++) {
		given_process(cgroups[i], V2);
		assert_cpus(procs_quota(root), 0);
	}
	given_process("0::/\n", "\n - \n1 2 3\n41 31 0:38 / /cg2 rw cgroup2\n- - - - - - -\n");
	assert_cpus(procs_quota(root), 0);
	given_process("0::/\n", V2);
	given_file("/cg2/cpu.max", "\1\2\3 lots");
	assert_cpus(procs_quota(root), 0);
}

/* --- the machine itself ----------------------------------------------------------------------- */

#define QUOTA 400000
#define PERIOD 1000000

static bool has_written(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;
	bool is_fine;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re+");
	if (!f)
		return false;
	is_fine = fputs(text, f) >= 0;
	return fclose(f) == 0 && is_fine;
}

/* A cgroup with the quota of 0.4 CPUs; false: there is none to be had. */
static bool has_cgroup(char *ret, size_t bytes)
{
	static const char *const tops[] = { "/sys/fs/cgroup/cpu", "/sys/fs/cgroup" };

	for (size_t i = 0; i < 2; i++) {
		snprintf(ret, bytes, "%s/procs_test.%d", tops[i], getpid());
		if (mkdir(ret, 0755) != 0)
			continue;
		if ((has_written(ret, "cpu.cfs_period_us", "1000000") &&
		     has_written(ret, "cpu.cfs_quota_us", "400000")) ||
		    has_written(ret, "cpu.max", "400000 1000000"))
			return true;
		rmdir(ret);
	}
	return false;
}

static void test_a_real_process_in_a_real_cgroup(void **state)
{
	char dir[PATH_MAX], pid[16];
	int status;
	pid_t child;

	(void)state;
	if (!has_cgroup(dir, sizeof(dir))) {
		print_message("no cgroup with a quota can be made here\n");
		skip();
	}
	child = fork();
	if (child == 0) {
		double before = procs_quota(""), want = (double)QUOTA / PERIOD;

		snprintf(pid, sizeof(pid), "%d", getpid());
		unsetenv("GOMAXPROCS");
		if ((before > 0 && before < want) || !has_written(dir, "cgroup.procs", pid))
			_exit(2);
		_exit(fabs_of(procs_quota("") - want) < 1e-9 && procs_default() <= 2 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(status, 0);
}

#define IN_A_TREE(test) cmocka_unit_test_setup_teardown(test, root_make, root_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpu_max_is_quota_by_period),
		cmocka_unit_test(test_cfs_files_are_quota_by_period),
		cmocka_unit_test(test_what_is_no_quota_limits_nothing),
		cmocka_unit_test(test_a_quota_is_rounded_up),
		cmocka_unit_test(test_a_quota_is_two_at_least_but_no_cpu_that_is_not_there),
		cmocka_unit_test(test_affinity_below_the_quota_counts),
		cmocka_unit_test(test_gomaxprocs_overrules_both),
		cmocka_unit_test(test_gomaxprocs_that_is_no_number_of_procs_is_as_if_unset),
		IN_A_TREE(test_a_group_of_version_2),
		IN_A_TREE(test_the_tightest_of_nested_groups_counts),
		IN_A_TREE(test_the_top_of_what_is_seen_counts),
		IN_A_TREE(test_a_group_of_version_1),
		IN_A_TREE(test_a_mount_may_start_below_the_top),
		IN_A_TREE(test_where_both_versions_are_the_first_counts),
		IN_A_TREE(test_what_is_missing_limits_nothing),
		IN_A_TREE(test_garbage_limits_nothing),
		cmocka_unit_test(test_a_real_process_in_a_real_cgroup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
