/* SPDX-License-Identifier: MIT */
/*
 * procs.c - see procs.h. As in Go since 1.25: a quota counts rounded up and at least 2 (on a machine that
 * has 2), for a quota of one CPU is a share of time, not a wish to run one thing at a time.
 */
#include "procs.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#define QUOTA_PROCS_MIN 2

static unsigned from_environment(void)
{
	const char *text = getenv("GOMAXPROCS");
	char *end;
	long n;

	if (!text || !*text)
		return 0;
	n = strtol(text, &end, 10);
	if (*end != '\0' || n <= 0)
		return 0;
	return n > PROCS_MAX ? PROCS_MAX : (unsigned)n;
}

static unsigned from_affinity(void)
{
	size_t bytes = CPU_ALLOC_SIZE(PROCS_MAX * 8);
	cpu_set_t *set = CPU_ALLOC(PROCS_MAX * 8);
	int n = 0;

	if (set && sched_getaffinity(0, bytes, set) == 0)
		n = CPU_COUNT_S(bytes, set);
	CPU_FREE(set);
	return n > 0 ? (unsigned)n : 1;
}

/* Up to two numbers of a file; "max" counts as -1. How many were there. */
static int read_numbers(const char *path, long ret[2])
{
	char text[2][32];
	FILE *f = fopen(path, "re");
	int n;

	if (!f)
		return 0;
	n = fscanf(f, "%31s %31s", text[0], text[1]);
	fclose(f);
	for (int i = 0; i < n; i++)
		ret[i] = strcmp(text[i], "max") == 0 ? -1 : atol(text[i]);
	return n < 0 ? 0 : n;
}

/* Quota of one cgroup in CPUs, 0: none. */
static double quota_v2(const char *dir)
{
	char path[4096 + 64];
	long n[2];

	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.max", dir);
	if (read_numbers(path, n) != 2 || n[0] <= 0 || n[1] <= 0)
		return 0;
	return (double)n[0] / (double)n[1];
}

static double quota_v1(const char *mount, const char *dir)
{
	char path[4096 + 64];
	long quota[2], period[2];

	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s%s/cpu.cfs_quota_us", mount, dir);
	if (read_numbers(path, quota) != 1 || quota[0] <= 0)
		return 0;
	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s%s/cpu.cfs_period_us", mount, dir);
	if (read_numbers(path, period) != 1 || period[0] <= 0)
		return 0;
	return (double)quota[0] / (double)period[0];
}

/* The tightest quota between the process's group and the root of what it sees. */
static double quota_upwards(const char *controllers, char *dir)
{
	double tightest = 0;

	for (;;) {
		double q = *controllers ? quota_v1(controllers, dir) : quota_v2(dir);
		char *slash = strrchr(dir, '/');

		if (q > 0 && (tightest == 0 || q < tightest))
			tightest = q;
		if (!slash)
			return tightest;
		*slash = '\0';
	}
}

static double cgroup_quota(void)
{
	char line[4096], controllers[256], dir[4096];
	double tightest = 0;
	FILE *f = fopen("/proc/self/cgroup", "re");

	while (f && fgets(line, sizeof(line), f)) {
		char *c = strchr(line, ':'), *d = c ? strchr(c + 1, ':') : NULL;
		double q;

		if (!d)
			continue;
		*d = '\0';
		d[1 + strcspn(d + 1, "\n")] = '\0';
		snprintf(controllers, sizeof(controllers), "%s", c + 1);
		if (*controllers && !strstr(controllers, "cpu"))
			continue;
		snprintf(dir, sizeof(dir), "%s", d + 1);
		if (strcmp(dir, "/") == 0)
			dir[0] = '\0';
		q = quota_upwards(controllers, dir);
		if (q > 0 && (tightest == 0 || q < tightest))
			tightest = q;
	}
	if (f)
		fclose(f);
	return tightest;
}

unsigned procs_default(void)
{
	unsigned n = from_environment(), limit;
	double quota;

	if (n != 0)
		return n;
	n = from_affinity();
	quota = cgroup_quota();
	if (quota > 0) {
		limit = (unsigned)quota + (quota > (double)(unsigned)quota);
		if (limit < QUOTA_PROCS_MIN)
			limit = QUOTA_PROCS_MIN;
		n = limit < n ? limit : n;
	}
	return n > PROCS_MAX ? PROCS_MAX : n;
}
